"""Transactions. Services never commit; the edge (`unit_of_work`, `attempt`) does.

Transactions are short. A reader holds no lock; SQLite takes its write lock at the first row that is written, and what
takes long (parsing, inference) comes before that. Who changes a record holds it first and then looks again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from models.errors import FetalHealthError

Value = TypeVar("Value")
ATTEMPTS = 5
INSTALLATION_LOCK = 0x6665_7461_6C + 1  # of what concerns the whole installation: promotion, runs, schedules


class OutdatedError(FetalHealthError):
    """Somebody changed the record meanwhile; what was read before no longer holds."""


@contextmanager
def unit_of_work(factory: sessionmaker[Session]) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error."""
    with factory() as session, session.begin():
        yield session


def attempt(factory: sessionmaker[Session], work: Callable[[Session], Value]) -> Value:
    """The value of one transaction, which begins again where another one was faster.

    Raises
    ------
    OutdatedError
        Others were faster in every attempt.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            with unit_of_work(factory) as session:
                return work(session)
        except (OutdatedError, IntegrityError):
            if not left:
                raise OutdatedError("others changed the same record at the same time: try again") from None
    raise AssertionError("unreachable")


def begin_writing(session: Session) -> None:
    """Take SQLite's write lock now, so that what is read from here on cannot change before the end."""
    connection = session.connection()
    if connection.dialect.name == "sqlite" and not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def hold_installation(session: Session) -> None:
    """Wait until nobody else decides about the whole installation, and hold it until the end of the transaction."""
    begin_writing(session)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INSTALLATION_LOCK})
    session.expire_all()
