"""Accounts, sign-in and sessions."""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session, sessionmaker

from app.accounts import attempts, passwords
from app.accounts.store import Account, ApiToken, Role, SignedIn, by_name
from app.orm import now
from app.settings import Settings
from app.transactions import unit_of_work
from models.errors import InputError

CLOCKS_DIFFER = timedelta(minutes=5)
SEEN_EVERY = timedelta(seconds=30)


class SignInRefusedError(Exception):
    """Wrong name or password; the message is for the user."""


def digest(secret: str) -> str:
    """SHA-256 of a random secret (which needs no slow hash)."""
    return sha256(secret.encode()).hexdigest()


def create_account(session: Session, name: str, password: str, role: Role) -> Account:
    """Add an account.

    Raises
    ------
    InputError
        The name is taken or empty, or the password is short or easily guessed.
    """
    name = name.strip()
    if not name or len(name) > 80:
        raise InputError("a user name has 1 to 80 characters")
    if by_name(session, name) is not None:
        raise InputError(f"there is a user named {name!r} already")
    account = Account(name=name, password_hash="", role=role.value, created_at=now())
    set_password(account, password)
    session.add(account)
    session.flush()
    return account


def set_password(account: Account, password: str) -> None:
    """Set a new password; an InputError where it is short or easily guessed."""
    passwords.check_strength(password, account.name)
    account.password_hash = passwords.hasher.hash(password)


def check_password(sessions: sessionmaker[Session], place: str, name: str, password: str) -> int:
    """Compare a password with that of an account; returns the account's number.

    Raises
    ------
    SignInRefusedError
        Name or password is wrong, or the account is closed: the same words for each.
    TooManyAttemptsError
        This attempt has to wait.
    """
    name = name.strip()
    attempts.reserve(sessions, place, name)
    with unit_of_work(sessions) as session:
        account = by_name(session, name)
        number, stored = (account.id, account.password_hash) if account is not None else (0, "")
        usable = account is not None and account.active and bool(stored)
    good = passwords.hasher.verify(password, stored or passwords.nobody())
    if not good or not usable:
        raise SignInRefusedError("User name or password is wrong.")
    with unit_of_work(sessions) as session:
        attempts.succeeded(session, place, name)
    return number


def open_session(session: Session, account: Account, place: str, agent: str, settings: Settings) -> str:
    """Open a session; returns the cookie's secret. Outlived sessions of anybody are deleted."""
    moment, secret = now(), secrets.token_urlsafe(32)
    idle, old = timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.session_hours)
    outlived = or_(SignedIn.last_seen_at < moment - idle, SignedIn.created_at < moment - old)
    session.execute(delete(SignedIn).where(outlived))
    opened = SignedIn(
        secret_hash=digest(secret),
        account_id=account.id,
        csrf_token=secrets.token_urlsafe(32),
        place=place[:60],
        agent=agent[:200],
        created_at=moment,
        last_seen_at=moment,
    )
    session.add(opened)
    return secret


def resume(session: Session, secret: str, settings: Settings) -> SignedIn | None:
    """The live session of a cookie, or None; an outlived one is deleted, and one from the future too."""
    opened = session.get(SignedIn, digest(secret))
    if opened is None:
        return None
    moment = now()
    too_old = moment - opened.created_at > timedelta(hours=settings.session_hours)
    idle = moment - opened.last_seen_at > timedelta(minutes=settings.idle_minutes)
    set_back = opened.last_seen_at - moment > CLOCKS_DIFFER
    if too_old or idle or set_back or not opened.account.active:
        session.delete(opened)
        return None
    if moment - opened.last_seen_at > SEEN_EVERY:
        opened.last_seen_at = moment
    return opened


def end_sessions(session: Session, account_id: int, *, but: str = "", only: str = "") -> int:
    """End the sessions of an account; returns how many.

    Parameters
    ----------
    but, only : str
        Handle of the one that stays, or of the one that ends.
    """
    query = delete(SignedIn).where(SignedIn.account_id == account_id)
    if but:
        query = query.where(SignedIn.secret_hash.not_like(f"{but}%"))
    if only:
        query = query.where(SignedIn.secret_hash.like(f"{only}%"))
    return session.execute(query).rowcount  # type: ignore[attr-defined,no-any-return]


def revoke_tokens(session: Session, account_id: int) -> int:
    """Revoke the tokens of an account; returns how many."""
    live = update(ApiToken).where(ApiToken.account_id == account_id, ApiToken.revoked_at.is_(None))
    return session.execute(live.values(revoked_at=now())).rowcount  # type: ignore[attr-defined,no-any-return]


def end_everything(session: Session, account_id: int, *, but: str = "") -> dict[str, Any]:
    """End the sessions and tokens of an account, as after a change of its password; returns how many of each."""
    return {
        "sessions": end_sessions(session, account_id, but=but),
        "tokens": revoke_tokens(session, account_id),
    }
