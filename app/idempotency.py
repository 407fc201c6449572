"""Idempotency keys: a repeated request returns the resource that the first request created."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

from fastapi import Header
from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.errors import Problem
from app.orm import Base, now

if TYPE_CHECKING:
    from app.accounts.guards import User

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=120)]


class IdempotencyKey(Base):
    """A creation that was asked for with an ``Idempotency-Key``, so that a repeat finds it."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    key: Mapped[str] = mapped_column(String(120))
    request_hash: Mapped[str] = mapped_column(String(64))
    resource: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]


def once(session: Session, user: "User", key: str | None, content: str, make: Callable[[], str]) -> tuple[str, bool]:
    """Create a resource once for each key.

    A repeat returns the first resource and False. Another content under the same key is refused.
    """
    if key is None:
        return make(), True
    digest = sha256(content.encode()).hexdigest()
    query = select(IdempotencyKey).where(IdempotencyKey.account_id == user.id, IdempotencyKey.key == key)
    earlier = session.scalar(query)
    if earlier is not None:
        if earlier.request_hash != digest:
            raise Problem(422, "this Idempotency-Key was used for another request")
        return earlier.resource, False
    resource = make()
    session.add(IdempotencyKey(account_id=user.id, key=key, request_hash=digest, resource=resource, at=now()))
    session.flush()
    return resource, True
