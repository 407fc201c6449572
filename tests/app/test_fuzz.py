"""No request is a 500: hostile values in every parameter, field and body of every route, by every role.

The routes come from the application, the JSON bodies from its OpenAPI description.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from app.accounts.service import create_account
from app.accounts.store import Account, Role
from app.accounts.tokens import create_token
from app.bundles.service import BundleRegistry
from app.database import make_engine, migrate, session_factory
from app.settings import Settings
from app.transactions import unit_of_work
from models.synthetic.traces import as_csv, trace
from tests.app.conftest import PASSWORD, application, routes_of
from tests.examples import HEAD_PNG, HEALTHY

TEXTS = (
    "", " ", "P-1", "\x00", "a\x00b", "\x1b[31m", "\ud800".encode("utf-8", "replace").decode(), "Ａ" * 30, "ä" * 81,
    "../../etc/passwd", "A/B", "..", "%00", "' OR 1=1 --", "{{7*7}}", "<script>", "x" * 5000, "NaN", "-0", "1e999",
    str(2**63), str(-(2**63) - 1), "9" * 5000, "0x10", "true", "null", "[]", "{}", "0001-01-01", "9999-12-31",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-10-28T10:15", "2026-02-30", "28+3", "99+9",
    "\u202e", "1_2_3", "2_-1e308_5", "high", "agree", "administrator",
)  # fmt: skip
NUMBERS = (0, 1, -1, 3.5, 262, 1e308, -1e308, 2**31, 2**63, 10**400, 0.1)
BODIES = (
    b"", b"\xff\xfe", b"null", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b'"\\u0000"', b"{", b"[]", b"\x00",
    b'{"patient": {"pseudonym": "a\\u0000b"}}', b'{"patient": {"pseudonym": 1e999}}', b'{"plan": "\\ud800"}',
)  # fmt: skip
SAFE_TO_REPEAT = 14
FILES = (
    ("t.csv", as_csv(trace(minutes=22, seed=1).recording)), ("h.png", HEAD_PNG), ("a.edf", b"0" * 300),
    ("a.dcm", b"\x00" * 128 + b"DICM" + b"\xff" * 40), ("x.hea", b"x 1 4 10\n"), ("\x00.csv", b"FHR\n1\n"),
    ("a.json", b"[" * 9999),
)  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.soak, pytest.mark.network])])
def clients(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, TestClient]]:
    """A client for each role and one that is not signed in, on an installation with one assessment."""
    settings = Settings(home=tmp_path / "home", data=None, workers=0, max_upload_mb=2)
    settings.home.mkdir()
    if request.param == "postgresql":
        settings.database_url = request.getfixturevalue("postgresql_database")
    engine = make_engine(settings.database)
    migrate(engine)
    with unit_of_work(session_factory(engine)) as session:
        BundleRegistry(settings.home).ensure_shipped(session)
        for role in Role:
            create_account(session, role.value, PASSWORD, role)
        clinician = session.query(Account).filter_by(role=Role.CLINICIAN.value).one()
        token = create_token(session, clinician, "fuzz")
    with TestClient(application(settings), raise_server_exceptions=False, follow_redirects=False) as made:
        body = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}
        bearer = {"Authorization": f"Bearer {token}"}
        assert made.post("/api/v1/assessments", json=body, headers=bearer).status_code == 201
        found = {"nobody": TestClient(made.app, raise_server_exceptions=False, follow_redirects=False)}
        for role in Role:
            client = TestClient(made.app, raise_server_exceptions=False, follow_redirects=False)
            client.post("/sign-in", data={"name": role.value, "password": PASSWORD})
            page = client.get("/account", headers={"Accept": "text/html"}).text
            client.headers["X-CSRF-Token"] = page.split('name="csrf_token" value="')[1].split('"')[0]
            found[role.value] = client
        yield found
    engine.dispose()


def value(chance: random.Random, schema: dict[str, Any], parts: dict[str, Any], depth: int = 0) -> Any:
    """Half the time what a schema asks for, and half the time something else."""
    if chance.random() < 0.25 or depth > 4:
        return chance.choice((chance.choice(TEXTS), chance.choice(NUMBERS), None, [], {}, [[]], True))
    if "$ref" in schema:
        return value(chance, parts[schema["$ref"].rsplit("/", 1)[-1]], parts, depth)
    if "anyOf" in schema:
        return value(chance, chance.choice(schema["anyOf"]), parts, depth)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        names = [name for name in schema.get("properties", {}) if chance.random() < 0.6]
        made = {name: value(chance, schema["properties"][name], parts, depth + 1) for name in names}
        return made | ({chance.choice(TEXTS)[:50]: 1} if chance.random() < 0.1 else {})
    if kind == "array":
        return [value(chance, schema.get("items", {}), parts, depth + 1) for _ in range(chance.randint(0, 3))]
    if kind in ("integer", "number"):
        return chance.choice(NUMBERS)
    return chance.choice((True, False)) if kind == "boolean" else chance.choice(TEXTS)


def send(chance: random.Random, client: TestClient, route: APIRoute, parts: dict[str, Any]) -> Any:
    """One hostile request to a route."""
    address = route.path
    for parameter in route.dependant.path_params:
        closes = route.path.endswith(("/active", "/revoke", "/reset", "/role", "/sign-out"))  # none of ours
        text = chance.choice(
            [text for text in TEXTS if text != ".."] if closes else ("1", "1", "P-1", chance.choice(TEXTS))
        )
        address = address.replace(f"{{{parameter.name}}}", quote(text[:200], safe="") or "x")
    asked = [*(parameter.alias for parameter in route.dependant.query_params), "unknown"]
    query = {name: chance.choice(TEXTS) for name in asked if chance.random() < 0.3}
    headers = {"Accept": chance.choice(("text/html", "application/json"))}
    if chance.random() < 0.2:
        headers["Idempotency-Key"] = chance.choice(("k", "k" * 130))
    (method,) = route.methods
    more: dict[str, Any] = {}
    if method == "POST":
        way = chance.random()
        fields = [*(field.alias for field in route.dependant.body_params), "patient", "performed_at"]
        data = {name: chance.choice(TEXTS) for name in fields if chance.random() < 0.7}
        if way < 0.25:
            more = {"content": chance.choice(BODIES), "headers": {"Content-Type": "application/json"}}
        elif way < 0.6:
            model = next((field.field_info.annotation for field in route.dependant.body_params), None)
            schema = parts.get(getattr(model, "__name__", ""), parts["AssessmentRequest"])
            text = json.dumps(value(chance, schema, parts))
            more = {"content": text.encode("utf-8", "surrogatepass"), "headers": {"Content-Type": "application/json"}}
        elif way < 0.8:
            more = {"data": data}
        else:
            files = [(chance.choice(("ctg", "image", "x")), chance.choice(FILES)) for _ in range(chance.randint(1, 3))]
            more = {"data": data, "files": files}
    headers |= more.pop("headers", {})
    return client.request(method, address, params=query, headers=headers, **more)


@pytest.mark.slow
def test_no_request_of_any_role_is_a_500(clients: dict[str, TestClient], request: pytest.FixtureRequest) -> None:
    chance = random.Random(7)
    parts = clients["clinician"].get("/api/v1/openapi.json").json()["components"]["schemas"]
    seen: Counter[int] = Counter()
    wrong: list[str] = []
    skipped = {"/metrics", "/federation/runs", "/api/v1/jobs", "/sign-out"}  # two of them would start a training
    for route in routes_of(clients["nobody"]):
        if route.path in skipped:
            continue
        for role, client in clients.items():
            for _ in range(3 if role == "nobody" else SAFE_TO_REPEAT):
                answer = send(chance, client, route, parts)
                seen[answer.status_code // 100] += 1
                if answer.status_code >= 500:
                    wrong.append(f"{role} {route.methods} {answer.request.url} {answer.text[:200]}")
                elif answer.status_code >= 400 and "json" in answer.headers["content-type"]:
                    assert answer.json()["status"] == answer.status_code
                    assert "\n" not in answer.json()["detail"]
            if role != "nobody":  # nobody was shut out or signed out on the way
                assert client.get("/account", headers={"Accept": "text/html"}).status_code == 200, (role, route.path)
    assert wrong == []
    assert seen[2] > 100
    assert seen[4] > 1000
