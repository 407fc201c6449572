"""Readiness tells the truth, and what storage cannot take is answered with 503 and a time to come back."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app import orm, readiness
from app.errors import StorageProblem, of_storage
from tests.examples import HEALTHY

BODY = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}


@pytest.fixture
def locked(home: Path, monkeypatch: pytest.MonkeyPatch, api: TestClient) -> Iterator[sqlite3.Connection]:
    """Another program holds the database."""
    monkeypatch.setattr(readiness, "WAIT_MS", 50)
    monkeypatch.setattr(readiness, "BUSY_MS", 50)
    monkeypatch.setattr(orm, "PRAGMAS", ("busy_timeout=50", "journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"))
    api.app.state.engine.dispose()  # type: ignore[attr-defined]
    connection = sqlite3.connect(home / "fetal-health.db", isolation_level=None)
    yield connection
    connection.close()


def test_a_locked_database_is_503_and_recovers(api: TestClient, locked: sqlite3.Connection) -> None:
    assert api.get("/health/ready").status_code == 200
    locked.execute("BEGIN IMMEDIATE")
    ready = api.get("/health/ready")
    assert ready.status_code == 503
    assert "locked by another program" in ready.json()["reason"]
    for answer in (api.post("/api/v1/assessments", json=BODY), api.get("/api/v1/assessments")):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert "Nothing was stored" in answer.json()["detail"]
    page = api.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert page.headers["retry-after"] == "5"
    assert "locked by another program" in page.text
    locked.execute("ROLLBACK")
    assert api.get("/health/ready").status_code == 200
    assert api.post("/api/v1/assessments", json=BODY).status_code == 201


def test_a_full_disk_is_not_ready(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(home: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(readiness, "_write_file", full)
    answer = api.get("/health/ready")
    assert answer.status_code == 503
    assert "disk is full" in answer.json()["reason"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("x", {}, Exception("database or disk is full")), "disk is full"),
        (OperationalError("x", {}, Exception("attempt to write a readonly database")), "cannot be written"),
        (OperationalError("x", {}, Exception("disk I/O error")), "cannot be read or written"),
        (OperationalError("x", {}, Exception("connection refused")), "cannot be reached"),
        (PoolTimeoutError("x"), "too many requests"),
        (OSError(30, "Read-only file system"), "full or cannot be written"),
    ],
)
def test_what_storage_says_in_our_words(error: Exception, words: str) -> None:
    problem = of_storage(error)
    assert isinstance(problem, StorageProblem)
    assert words in str(problem.detail)


def test_other_errors_stay_what_they_are() -> None:
    error = ValueError("x")
    assert of_storage(error) is error


def test_an_unexpected_error_is_one_plain_answer_on_a_connection_that_stays(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("app.patients.api.women", broken)
    answer = api.get("/api/v1/patients")
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("An unexpected error occurred")
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_values_of_a_failed_statement_never_reach_the_log(api: TestClient) -> None:
    engine = api.app.state.engine  # type: ignore[attr-defined]
    started = time.monotonic()
    with pytest.raises(Exception, match="hidden") as failed, engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO woman (pseudonym) VALUES (?)", ("JANE DOE",))
    assert "JANE DOE" not in str(failed.value)
    assert time.monotonic() - started < 5
