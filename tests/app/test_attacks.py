"""Attacks on accounts, sessions and tokens: each was tried with success on an earlier release."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.accounts import attempts, passwords, service
from app.accounts.attempts import FREE, LONGEST_S, SignInAttempt, TooManyAttemptsError, reserve, succeeded
from app.accounts.passwords import Queue, check_strength
from app.accounts.service import SignInRefusedError, check_password
from app.accounts.store import Account, ApiToken, Role, SignedIn
from app.audit.store import AuditRow
from app.errors import Problem
from app.orm import now
from app.transactions import unit_of_work
from models.errors import InputError
from tests.app.conftest import PASSWORD, browser

STRONG = "another fairly long one"


def sign_in(client: TestClient, name: str, password: str, **headers: str) -> Any:
    return client.post("/sign-in", data={"name": name, "password": password}, headers=headers)


def sessions_of(client: TestClient) -> Any:
    return client.app.state.sessions  # type: ignore[attr-defined]


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> Iterator[None]:
    """The clock stands elsewhere for the time of the block."""
    with monkeypatch.context() as patch:
        for module in (attempts, service):
            patch.setattr(module, "now", lambda: now() + by)
        yield


# --- attempts at a password


def test_after_some_wrong_passwords_every_attempt_waits(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(FREE["pair"]):
        assert sign_in(client, "clinician-1", "wrong").status_code == 401
    for password in ("wrong", PASSWORD):
        waiting = sign_in(client, "clinician-1", password)
        assert waiting.status_code == 429
        assert int(waiting.headers["retry-after"]) >= 1
    with later(monkeypatch, timedelta(seconds=LONGEST_S)):
        assert sign_in(client, "clinician-1", PASSWORD).status_code == 303
    assert sign_in(client, "clinician-1", "wrong").status_code == 401  # a success begins anew


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.network)])
def test_many_at_once_are_counted_too(engine: str, client: TestClient, request: pytest.FixtureRequest) -> None:
    if engine == "postgresql":
        from app.database import make_engine, migrate, session_factory

        database = make_engine(request.getfixturevalue("postgresql_database"))
        migrate(database)
        sessions = session_factory(database)
    else:
        sessions = sessions_of(client)
    barrier = threading.Barrier(25)

    def guess(number: int) -> str:
        barrier.wait()
        try:
            check_password(sessions, "10.0.0.1", "clinician-1", f"guess {number}")
        except SignInRefusedError:
            return "looked at"
        except TooManyAttemptsError:
            return "waited"
        return "right"

    with ThreadPoolExecutor(25) as pool:
        outcomes = list(pool.map(guess, range(25)))
    if engine == "postgresql":
        database.dispose()
    assert outcomes.count("looked at") == FREE["pair"]
    assert outcomes.count("waited") == 25 - FREE["pair"]


def test_wrong_present_passwords_are_counted_and_audited(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    form = {"present": "wrong", "new": STRONG, "csrf_token": csrf}
    statuses = [client.post("/account/password", data=form).status_code for _ in range(FREE["pair"] + 2)]
    assert statuses == [422] * FREE["pair"] + [429] * 2
    with unit_of_work(sessions_of(client)) as session:
        assert session.query(AuditRow).filter_by(action="password.refused").count() == FREE["pair"]
        assert session.query(SignedIn).count() == 1


def test_no_stranger_locks_anybody_out(client: TestClient) -> None:
    sessions = sessions_of(client)
    assert check_password(sessions, "10.0.0.1", "clinician-1", PASSWORD)
    for number in range(FREE["name"] + 20):  # from many places
        reserve_quietly(sessions, f"192.0.2.{number}", "clinician-1")
    for number in range(FREE["place"] + 20):  # at many names, from the ward's own address
        reserve_quietly(sessions, "10.0.0.1", f"name-{number}")
    assert check_password(sessions, "10.0.0.1", "clinician-1", PASSWORD)
    with pytest.raises(TooManyAttemptsError):
        check_password(sessions, "198.51.100.7", "clinician-1", PASSWORD)  # an unknown place shares the delay


def reserve_quietly(sessions: Any, place: str, name: str) -> None:
    try:
        reserve(sessions, place, name)
    except TooManyAttemptsError:
        return


def test_known_and_unknown_names_are_treated_alike(client: TestClient) -> None:
    answers = []
    for name in ("clinician-1", "nobody"):
        answers.append([sign_in(client, name, "wrong") for _ in range(FREE["pair"] + 1)])
    for known, unknown in zip(*answers, strict=True):
        assert known.status_code == unknown.status_code
        assert known.text.replace("clinician-1", "nobody") == unknown.text


def test_what_was_typed_as_a_name_is_not_stored(client: TestClient) -> None:
    sign_in(client, "MySecretPassword!typed", "x")
    sign_in(client, "clinician-1", "x")
    with unit_of_work(sessions_of(client)) as session:
        names = [row.user_name for row in session.query(AuditRow).filter_by(action="sign-in.refused")]
        assert names == ["", "clinician-1"]
        assert not any("Secret" in row.key for row in session.scalars(select(SignInAttempt)))


def test_a_clock_that_was_set_back_lengthens_no_delay(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = sessions_of(client)
    for _ in range(FREE["pair"]):
        reserve(sessions, "10.0.0.1", "x")
    with later(monkeypatch, -timedelta(days=2)), pytest.raises(TooManyAttemptsError) as waiting:
        reserve(sessions, "10.0.0.1", "x")
    assert int(waiting.value.headers["Retry-After"]) <= LONGEST_S  # type: ignore[index]


def test_attempts_are_forgotten_and_can_be_unlocked(client: TestClient) -> None:
    for _ in range(FREE["pair"]):
        sign_in(client, "clinician-1", "wrong")
    assert sign_in(client, "clinician-1", PASSWORD).status_code == 429
    csrf = browser(client, "administrator")
    with unit_of_work(sessions_of(client)) as session:
        number = session.query(Account).filter_by(name="clinician-1").one().id
    assert client.post(f"/users/{number}/unlock", data={"csrf_token": csrf}).status_code == 303
    client.cookies.clear()
    assert sign_in(client, "clinician-1", PASSWORD).status_code == 303


def test_succeeded_takes_its_own_reservation_back(client: TestClient) -> None:
    sessions = sessions_of(client)
    for _ in range(3):
        reserve(sessions, "10.0.0.1", "anna")
        with unit_of_work(sessions) as session:
            succeeded(session, "10.0.0.1", "anna")
    with unit_of_work(sessions) as session:
        assert [row.failures for row in session.scalars(select(SignInAttempt))] == [0, 0, 0]


# --- hashes


def test_one_hash_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, running, most = Queue(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    for future in [queue.submit(work) for _ in range(20)]:
        future.result()
    assert most == 1
    monkeypatch.setattr(passwords, "WAITING", 2)
    short, held = Queue(), threading.Event()
    for _ in range(2):
        short.submit(held.wait)
    with pytest.raises(Problem) as refused:
        short.submit(work)
    held.set()
    assert refused.value.status_code == 503
    queue.close()
    short.close()


@pytest.mark.parametrize(
    "password", ["short", "123456789012", "password1234", "aaaaaaaaaaaa", "clinician-1-1", "x" * 201]
)
def test_weak_passwords_are_refused_with_a_reason(password: str) -> None:
    with pytest.raises(InputError, match=r"easily guessed|characters"):
        check_strength(password, "clinician-1")
    check_strength(STRONG, "clinician-1")


# --- sessions


def test_a_changed_password_ends_other_sessions_and_tokens(client: TestClient, tokens: dict[str, str]) -> None:
    sign_in(client, "clinician-1", PASSWORD)
    other = dict(client.cookies)
    client.cookies.clear()
    csrf = browser(client, "clinician")
    form = {"present": PASSWORD, "new": STRONG, "csrf_token": csrf}
    assert client.post("/account/password", data=form).status_code == 303
    assert client.get("/account").status_code == 200
    client.cookies.clear()
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    assert client.get("/api/v1/patients", headers=bearer).status_code == 401
    for name, value in other.items():
        client.cookies.set(name, value)
    assert client.get("/account").status_code == 303


def test_sessions_are_listed_and_ended(client: TestClient) -> None:
    sign_in(client, "clinician-1", PASSWORD, **{"User-Agent": "the other browser"})
    client.cookies.clear()
    csrf = browser(client, "clinician")
    page = client.get("/account").text
    assert "the other browser" in page
    handle = page.split('name="handle" value="')[1].split('"')[0]
    assert client.post("/account/sessions/end", data={"handle": "%", "csrf_token": csrf}).status_code == 422
    client.post("/account/sessions/end", data={"handle": handle, "csrf_token": csrf})
    assert client.get("/account").status_code == 200
    with unit_of_work(sessions_of(client)) as session:
        assert session.query(SignedIn).count() == 1


def test_outlived_sessions_are_removed_at_the_next_sign_in(client: TestClient) -> None:
    for _ in range(3):
        sign_in(client, "clinician-1", PASSWORD)
    with unit_of_work(sessions_of(client)) as session:
        for row in session.query(SignedIn):
            row.last_seen_at = now() - timedelta(hours=1)
    sign_in(client, "operator-1", PASSWORD)
    with unit_of_work(sessions_of(client)) as session:
        assert session.query(SignedIn).count() == 1


def test_a_session_from_the_future_is_over(client: TestClient) -> None:
    browser(client, "clinician")
    with unit_of_work(sessions_of(client)) as session:
        session.query(SignedIn).one().last_seen_at = now() + timedelta(days=2)  # the clock was set back
    assert client.get("/").status_code == 303


# --- accounts that administrators keep


def test_reset_close_and_role_end_everything(client: TestClient, tokens: dict[str, str]) -> None:
    csrf = browser(client, "administrator")
    with unit_of_work(sessions_of(client)) as session:
        numbers = {row.name: row.id for row in session.query(Account)}
    admin = dict(client.cookies)
    page = client.post(f"/users/{numbers['clinician-1']}/reset", data={"csrf_token": csrf}).text
    chosen = page.split("<code>")[1].split("</code>")[0]
    client.post(f"/users/{numbers['operator-1']}/role", data={"role": "clinician", "csrf_token": csrf})
    own = client.post(f"/users/{numbers['administrator-1']}/role", data={"role": "clinician", "csrf_token": csrf})
    assert own.status_code == 422
    client.cookies.clear()
    for role in ("clinician", "operator"):
        bearer = {"Authorization": f"Bearer {tokens[role]}"}
        assert client.get("/api/v1/patients", headers=bearer).status_code == 401
    assert sign_in(client, "clinician-1", PASSWORD).status_code == 401
    assert sign_in(client, "clinician-1", chosen).headers["location"] == "/account"
    for path in ("/", "/patients", "/assessments/new"):
        assert client.get(path).headers["location"] == "/account", path
    csrf = client.get("/account").text.split('name="csrf_token" value="')[1].split('"')[0]
    client.post("/account/password", data={"present": chosen, "new": STRONG, "csrf_token": csrf})
    assert client.get("/patients").status_code == 200
    client.cookies.clear()
    for name, value in admin.items():
        client.cookies.set(name, value)
    csrf = client.get("/account").text.split('name="csrf_token" value="')[1].split('"')[0]
    client.post(f"/users/{numbers['clinician-1']}/sign-out", data={"csrf_token": csrf})
    with unit_of_work(sessions_of(client)) as session:
        assert session.query(SignedIn).filter_by(account_id=numbers["clinician-1"]).count() == 0


# --- tokens


def token(client: TestClient, role: str, *scopes: str, days: str = "90") -> dict[str, str]:
    csrf = browser(client, role)
    form = {"label": "x", "scopes": list(scopes), "days": days, "csrf_token": csrf}
    page = client.post("/account/tokens", data=form)
    assert page.status_code == 200, page.text
    client.cookies.clear()
    return {"Authorization": f"Bearer {page.text.split('<code>')[1].split('</code>')[0]}"}


PATIENT = {"pseudonym": "P-1"}


@pytest.mark.parametrize("scope", ["read", "assess", "review", "operate"])
def test_a_token_does_what_its_scope_says(client: TestClient, api: TestClient, scope: str) -> None:
    body = {"patient": PATIENT, "scan": {"head_circumference_mm": 270.0, "gestational_age": "29+0"}}
    number = api.post("/api/v1/assessments", json=body).json()["id"]
    del client.headers["Authorization"]
    bearer = token(client, "administrator", scope)
    client.headers["Accept"] = "application/json"
    review = {"verdict": "agree"}
    statuses = {
        "read": client.get("/api/v1/patients", headers=bearer).status_code,
        "assess": client.post("/api/v1/patients", json={"pseudonym": "P-2"}, headers=bearer).status_code,
        "review": client.post(f"/assessments/{number}/review", data=review, headers=bearer).status_code,
        "operate": client.post("/bundles/roll-back", data={"reason": "x"}, headers=bearer).status_code,
    }
    assert {name for name, status in statuses.items() if status != 403} == {scope}, statuses


def test_a_token_never_signs_mints_or_administers(client: TestClient, api: TestClient) -> None:
    body = {"patient": PATIENT, "scan": {"head_circumference_mm": 270.0, "gestational_age": "29+0"}}
    number = api.post("/api/v1/assessments", json=body).json()["id"]
    del client.headers["Authorization"]
    bearer = token(client, "administrator", "read", "assess", "review", "operate")
    for path, form in (
        (f"/assessments/{number}/sign", {}),
        ("/account/tokens", {"label": "more", "scopes": "read"}),
        ("/account/password", {"present": PASSWORD, "new": STRONG}),
        ("/users", {"name": "x", "password": STRONG, "role": "administrator"}),
        ("/users/1/reset", {}),
    ):
        answer = client.post(path, data=form, headers=bearer)
        assert answer.status_code == 403, path
        assert "Only a person who has signed in" in answer.text
    with unit_of_work(sessions_of(client)) as session:
        refused = [row.detail["address"] for row in session.query(AuditRow).filter_by(action="access.refused")]
        assert "POST /users" in refused


def test_tokens_end(client: TestClient, tokens: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    assert client.get("/api/v1/patients", headers=bearer).status_code == 200
    with unit_of_work(sessions_of(client)) as session:
        for row in session.query(ApiToken):
            row.expires_at = now() - timedelta(seconds=1)
    assert client.get("/api/v1/patients", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    "form", [{"scopes": "read", "days": "0"}, {"scopes": "read", "days": "400"}, {}, {"scopes": "all"}]
)
def test_a_token_needs_a_scope_and_an_end(client: TestClient, form: dict[str, str]) -> None:
    csrf = browser(client, "clinician")
    assert client.post("/account/tokens", data={"label": "x", "csrf_token": csrf, **form}).status_code == 422


def test_the_token_of_a_closed_account_is_dead(client: TestClient, tokens: dict[str, str]) -> None:
    with unit_of_work(sessions_of(client)) as session:
        session.query(Account).filter_by(role=Role.CLINICIAN.value).one().active = False
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    assert client.get("/api/v1/patients", headers=bearer).status_code == 401


def test_rows_say_from_where_and_in_which_session(client: TestClient) -> None:
    browser(client, "clinician")
    client.get("/patients")
    with unit_of_work(sessions_of(client)) as session:
        rows = {row.action: row for row in session.query(AuditRow)}
        assert rows["sign-in"].session == rows["patients.read"].session != ""
        assert rows["patients.read"].place == "testclient"
        assert isinstance(rows["sign-in"].at, datetime)
