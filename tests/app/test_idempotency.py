"""Idempotency keys: reserved before the work, waited for, taken over from the dead, forgotten after a week."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app import idempotency
from app.accounts.guards import User
from app.accounts.service import create_account
from app.accounts.store import Role
from app.database import make_engine, migrate, session_factory
from app.errors import Problem
from app.idempotency import IdempotencyKey, once
from app.orm import now
from app.transactions import unit_of_work


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def user(sessions: sessionmaker[Session]) -> User:
    with unit_of_work(sessions) as session:
        account = create_account(session, "anna", "a long password", Role.CLINICIAN)
    return User(account.id, account.name, Role.CLINICIAN)


def reserved(sessions: sessionmaker[Session]) -> list[IdempotencyKey]:
    with sessions() as session:
        return list(session.scalars(select(IdempotencyKey)))


def test_a_repeat_waits_for_the_winner(sessions: sessionmaker[Session], user: User) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    answers: list[tuple[str, bool]] = []

    def slow(session: Session) -> str:
        begun.set()
        assert goes_on.wait(10)
        return "7"

    first = threading.Thread(target=lambda: answers.append(once(sessions, user, "k", "x", slow)))
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=lambda: answers.append(once(sessions, user, "k", "x", lambda _: "8")))
    second.start()
    time.sleep(0.2)
    assert answers == []
    goes_on.set()
    first.join()
    second.join()
    assert sorted(answers) == [("7", False), ("7", True)]


def test_another_content_is_refused(sessions: sessionmaker[Session], user: User) -> None:
    assert once(sessions, user, "k", "x", lambda _: "7") == ("7", True)
    with pytest.raises(Problem, match="used for another request"):
        once(sessions, user, "k", "y", lambda _: "8")


def test_what_failed_can_be_sent_again(sessions: sessionmaker[Session], user: User) -> None:
    def fail(session: Session) -> str:
        raise Problem(422, "no trace")

    with pytest.raises(Problem, match="no trace"):
        once(sessions, user, "k", "x", fail)
    assert reserved(sessions) == []
    assert once(sessions, user, "k", "x", lambda _: "7") == ("7", True)


@pytest.mark.parametrize("of", ["dead", "slow"])
def test_a_reservation_of_the_dead_is_taken_over_at_once(sessions: sessionmaker[Session], user: User, of: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    process, at = (ended.pid, now()) if of == "dead" else (os.getpid(), now() - idempotency.LEASE)
    digest = idempotency.sha256(b"x").hexdigest()
    row = IdempotencyKey(account_id=user.id, key="k", request_hash=digest, resource="", at=at)
    row.worker = f"{idempotency._here()}/{process}/1"
    with unit_of_work(sessions) as session:
        session.add(row)
    started = time.monotonic()
    assert once(sessions, user, "k", "x", lambda _: "7") == ("7", True)
    assert time.monotonic() - started < 5


def test_who_lost_the_reservation_stores_nothing(sessions: sessionmaker[Session], user: User) -> None:
    def overtaken(session: Session) -> str:
        with unit_of_work(sessions) as other:
            other.scalars(select(IdempotencyKey)).one().worker = "another/1/1"
        return "7"

    with pytest.raises(Problem, match="given to another worker"):
        once(sessions, user, "k", "x", overtaken)


def test_keys_are_forgotten(sessions: sessionmaker[Session], user: User) -> None:
    assert once(sessions, user, "old", "x", lambda _: "7") == ("7", True)
    with unit_of_work(sessions) as session:
        session.scalars(select(IdempotencyKey)).one().at = now() - idempotency.KEPT - timedelta(minutes=1)
    assert once(sessions, user, "new", "x", lambda _: "8") == ("8", True)
    assert [row.key for row in reserved(sessions)] == ["new"]
