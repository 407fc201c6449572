"""Idempotency keys: a repeated request returns the resource that the first request created.

The key is reserved before the work begins. A repeat that comes meanwhile waits and gets the winner's answer. Where the
winner fails or dies, the next repeat does the work.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

from fastapi import Header
from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from app.errors import Problem
from app.orm import Base, now
from app.transactions import attempt, unit_of_work

if TYPE_CHECKING:
    from app.accounts.guards import User

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=120)]
# A key is forgotten after this, and a reservation is free again after that: who takes longer stores nothing.
KEPT, LEASE = timedelta(days=7), timedelta(seconds=20)
LOOK_S = 0.05


class IdempotencyKey(Base):
    """A creation that was asked for with an ``Idempotency-Key``, so that a repeat finds it.

    `resource` is empty while the first request works; `worker` is the process that does it.
    """

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    key: Mapped[str] = mapped_column(String(120))
    request_hash: Mapped[str] = mapped_column(String(64))
    resource: Mapped[str] = mapped_column(String(120))
    worker: Mapped[str] = mapped_column(String(120), default="")
    at: Mapped[datetime] = mapped_column(index=True)


def once(
    sessions: sessionmaker[Session], user: "User", key: str | None, content: str, make: Callable[[Session], str]
) -> tuple[str, bool]:
    """Create a resource once for each key, in a transaction of its own.

    Returns
    -------
    str, bool
        The resource, and whether this call created it.

    Raises
    ------
    Problem
        422: the key was used for another request. 503: the first request is still at work.
    """
    if key is None:
        return attempt(sessions, make), True
    digest = sha256(content.encode()).hexdigest()
    earlier, mark = _reserve(sessions, user, key, digest)
    if earlier is not None:
        return earlier, False

    def work(session: Session) -> str:
        resource = make(session)
        session.flush()
        mine = update(IdempotencyKey).where(IdempotencyKey.id == mark[0], IdempotencyKey.worker == mark[1])
        if not session.execute(mine.values(resource=resource)).rowcount:  # type: ignore[attr-defined]
            raise Problem(
                503, "this request took too long and was given to another worker", headers={"Retry-After": "1"}
            )
        return resource

    try:
        return attempt(sessions, work), True
    except BaseException:
        with suppress(SQLAlchemyError), unit_of_work(sessions) as session:  # otherwise the lease ends by itself
            session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == mark[0], IdempotencyKey.resource == ""))
        raise


def _reserve(
    sessions: sessionmaker[Session], user: "User", key: str, digest: str
) -> tuple[str | None, tuple[int, str]]:
    """The resource that the winner created, or None and the mark of a reservation of our own."""
    last = time.monotonic() + 1.5 * LEASE.total_seconds()
    while time.monotonic() < last:
        mine = f"{_here()}/{os.getpid()}/{time.monotonic_ns()}"
        with sessions() as session:
            query = select(IdempotencyKey).where(IdempotencyKey.account_id == user.id, IdempotencyKey.key == key)
            earlier = session.scalar(query)
        if earlier is not None and earlier.request_hash != digest:
            raise Problem(422, "this Idempotency-Key was used for another request")
        if earlier is not None and earlier.resource:
            return earlier.resource, (0, "")
        if earlier is None:
            row = IdempotencyKey(account_id=user.id, key=key, request_hash=digest, resource="", worker=mine, at=now())
            try:
                with unit_of_work(sessions) as session:
                    session.execute(delete(IdempotencyKey).where(IdempotencyKey.at < now() - KEPT))
                    session.add(row)
            except IntegrityError:
                continue  # another one was faster
            return None, (row.id, mine)
        if _abandoned(earlier) and _taken_over(sessions, earlier, mine):
            return None, (earlier.id, mine)
        time.sleep(LOOK_S)
    raise Problem(503, "the first request with this Idempotency-Key is still at work", headers={"Retry-After": "5"})


def _here() -> str:
    return socket.gethostname()[:60]


def _abandoned(row: IdempotencyKey) -> bool:
    """Whether the process that reserved a key is dead, or has had more time than any work takes."""
    if row.at < now() - LEASE:
        return True
    host, process, _ = row.worker.split("/")
    if host != _here():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _taken_over(sessions: sessionmaker[Session], row: IdempotencyKey, mine: str) -> bool:
    same = (IdempotencyKey.id == row.id, IdempotencyKey.worker == row.worker, IdempotencyKey.resource == "")
    with unit_of_work(sessions) as session:
        moved = session.execute(update(IdempotencyKey).where(*same).values(worker=mine, at=now()))
    return bool(moved.rowcount)  # type: ignore[attr-defined]
