"""Accounts, their sessions and API tokens."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.orm import Base


class Role(StrEnum):
    """What a user may do; an administrator may do everything."""

    CLINICIAN = "clinician"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Scope(StrEnum):
    """What a system with a token may do, within the role of the token's owner."""

    READ = "read"
    ASSESS = "assess"
    REVIEW = "review"
    OPERATE = "operate"


class Account(Base):
    """A person who signs in. `must_change` is set with a password that somebody else chose."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    must_change: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class SignedIn(Base):
    """A server-side session; the cookie holds a random secret of which only the hash is stored."""

    __tablename__ = "signed_in"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(60), default="")
    agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)
    account: Mapped[Account] = relationship(lazy="joined")

    @property
    def handle(self) -> str:
        """By which it is named on pages and in the audit; nobody can sign in with it."""
        return self.secret_hash[:12]


class ApiToken(Base):
    """A token for systems; shown once, stored as a hash."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(80))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    account: Mapped[Account] = relationship(lazy="joined")


def by_name(session: Session, name: str) -> Account | None:
    """The account of this name."""
    return session.scalar(select(Account).where(Account.name == name))


def sessions_of(session: Session, account_id: int | None) -> list[SignedIn]:
    """Open sessions of an account, the last used first."""
    query = select(SignedIn).where(SignedIn.account_id == account_id)
    return list(session.scalars(query.order_by(SignedIn.last_seen_at.desc())))


def tokens_of(session: Session, account_id: int | None, moment: datetime) -> list[ApiToken]:
    """Tokens of an account that were not revoked and have not ended."""
    live: Any = (ApiToken.revoked_at.is_(None), ApiToken.expires_at > moment)
    return list(session.scalars(select(ApiToken).where(ApiToken.account_id == account_id, *live).order_by(ApiToken.id)))
