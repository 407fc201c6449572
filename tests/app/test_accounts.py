"""Guards, sign-in, CSRF, headers, and accounts on their pages."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from app.accounts.service import digest
from app.accounts.store import Account, ApiToken, SignedIn
from app.orm import now
from app.security import HEADERS
from app.transactions import unit_of_work
from tests.app.conftest import PASSWORD, browser, routes_of

STRONG = "another fairly long one"
PUBLIC = {"/sign-in", "/health/live", "/health/ready", "/metrics"}


def test_every_route_has_a_guard(client: TestClient) -> None:
    routes = routes_of(client)
    assert len(routes) > 40
    for route in routes:
        guards = [d.call for d in route.dependant.dependencies if getattr(d.call, "is_guard", False)]
        assert len(guards) == 1, route.path
        if guards[0].__name__ == "public":
            assert route.path in PUBLIC, route.path


def test_nobody_gets_anywhere_without_signing_in(client: TestClient) -> None:
    for route in routes_of(client):
        if route.path in PUBLIC:
            continue
        path = route.path.replace("{identifier}", "1").replace("{name}", "x").replace("{pseudonym}", "x")
        for method in route.methods or ():
            answer = client.request(method, path)
            assert answer.status_code == 401, (method, path)
            page = client.request(method, path, headers={"Accept": "text/html"})
            expected = 401 if path.startswith("/api/") else 303
            assert page.status_code == expected, (method, path)


PERSONAL = {"/account", "/users"}


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        ("clinician", ["/federation", "/audit", "/users", "/api/v1/bundles", "/api/v1/jobs"]),
        ("operator", ["/", "/patients", "/audit", "/users", "/api/v1/patients", "/api/v1/assessments"]),
        ("administrator", []),
    ],
)
def test_roles(client: TestClient, tokens: dict[str, str], role: str, refused: list[str]) -> None:
    everything = ["/", "/patients", "/federation", "/audit", "/users", "/api/v1/bundles", "/api/v1/jobs"]
    everything += ["/api/v1/patients", "/api/v1/assessments", "/account", "/docs"]
    for path in everything:
        answer = client.get(path, headers={"Authorization": f"Bearer {tokens[role]}"})
        assert answer.status_code == (403 if path in refused or path in PERSONAL else 200), path


def test_sign_in_and_out(client: TestClient) -> None:
    token = browser(client, "clinician")
    cookie = client.cookies["fetal_health_session"]
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        assert session.get(SignedIn, digest(cookie)) is not None
    assert client.post("/sign-out", data={"csrf_token": token}).status_code == 303
    assert client.get("/").status_code == 303


def test_the_cookie_is_closed_to_scripts_and_other_sites(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"name": "clinician-1", "password": PASSWORD})
    header = answer.headers["set-cookie"].lower()
    assert "httponly" in header
    assert "samesite=strict" in header


def test_unknown_names_get_the_same_words(client: TestClient) -> None:
    one = client.post("/sign-in", data={"name": "nobody", "password": "wrong"})
    two = client.post("/sign-in", data={"name": "clinician-1", "password": "wrong"})
    assert "User name or password is wrong." in one.text
    assert "User name or password is wrong." in two.text


def test_sessions_end(client: TestClient) -> None:
    browser(client, "clinician")
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        session.query(SignedIn).one().last_seen_at = now() - timedelta(minutes=31)
    assert client.get("/").status_code == 303
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        assert session.query(SignedIn).count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_form_without_the_token_changes_nothing(client: TestClient, token: str | None) -> None:
    browser(client, "administrator")
    data = {"name": "new", "password": PASSWORD, "role": "clinician"} | ({"csrf_token": token} if token else {})
    assert client.post("/users", data=data).status_code == 403
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        assert session.query(Account).count() == 3


def test_a_session_needs_the_header_for_the_api(client: TestClient) -> None:
    token = browser(client, "clinician")
    body = {"pseudonym": "P-1"}
    assert client.post("/api/v1/patients", json=body).status_code == 403
    assert client.post("/api/v1/patients", json=body, headers={"X-CSRF-Token": token}).status_code == 201


def test_sign_in_does_not_lead_outside(client: TestClient) -> None:
    for target in ("https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"):
        data = {"name": "clinician-1", "password": PASSWORD, "next": target}
        assert client.post("/sign-in", data=data).headers["location"] == "/"


def test_tokens_are_hashed_and_revocable(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    page = client.post("/account/tokens", data={"label": "ward system", "scopes": "read", "csrf_token": csrf}).text
    secret = page.split("<code>")[1].split("</code>")[0]
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        row = session.query(ApiToken).filter_by(label="ward system").one()
        assert secret not in (row.token_hash, row.label)
    client.cookies.clear()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/patients", headers=bearer).status_code == 200
    csrf = browser(client, "clinician")
    client.post(f"/account/tokens/{row.id}/revoke", data={"csrf_token": csrf})
    client.cookies.clear()
    assert client.get("/api/v1/patients", headers=bearer).status_code == 401


def test_users_page(client: TestClient) -> None:
    csrf = browser(client, "administrator")
    data = {"name": "midwife", "password": PASSWORD, "role": "clinician", "csrf_token": csrf}
    assert client.post("/users", data=data).status_code == 303
    assert client.post("/users", data=data).status_code == 422
    assert client.post("/users", data=data | {"name": "x", "password": "short"}).status_code == 422
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        identifier = session.query(Account).filter_by(name="midwife").one().id
    client.post(f"/users/{identifier}/active", data={"active": "false", "csrf_token": csrf})
    client.cookies.clear()
    assert client.post("/sign-in", data={"name": "midwife", "password": PASSWORD}).status_code == 401


def test_password_change(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    wrong = {"present": "wrong", "new": STRONG, "csrf_token": csrf}
    assert client.post("/account/password", data=wrong).status_code == 422
    assert client.post("/account/password", data=wrong | {"present": PASSWORD}).status_code == 303
    client.cookies.clear()
    assert client.post("/sign-in", data={"name": "clinician-1", "password": STRONG}).status_code == 303


def test_security_headers_on_every_kind_of_answer(client: TestClient) -> None:
    for path in ("/sign-in", "/health/live", "/nothing", "/api/v1/patients", "/static/app.css"):
        headers = client.get(path).headers
        for name, value in HEADERS.items():
            assert headers[name] == value, path
    assert client.get("/sign-in").headers["cache-control"] == "no-store"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
