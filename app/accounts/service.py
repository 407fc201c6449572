"""Passwords, sign-in with lock-out, sessions and tokens."""

import secrets
from datetime import timedelta
from functools import cache
from hashlib import sha256

from pwdlib import PasswordHash
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts.store import Account, ApiToken, Role, SignedIn, by_name
from app.orm import now
from app.settings import Settings
from models.errors import InputError

MAX_ATTEMPTS = 5
LOCK = timedelta(minutes=15)
MIN_PASSWORD = 12

passwords = PasswordHash.recommended()  # Argon2id; the tests put a cheaper one here


@cache
def _no_account() -> str:
    """A hash that no password matches, so that an unknown name takes as long as a wrong password."""
    return passwords.hash(secrets.token_urlsafe(24))


class SignInRefusedError(Exception):
    """Wrong name or password, or a locked account; the message is for the user."""


def digest(secret: str) -> str:
    """SHA-256 of a random secret (which needs no slow hash)."""
    return sha256(secret.encode()).hexdigest()


def create_account(session: Session, name: str, password: str, role: Role) -> Account:
    """Add an account.

    Raises
    ------
    InputError
        The name is taken or empty, or the password is too short.
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
    """Set a new password and lift a lock."""
    if len(password) < MIN_PASSWORD:
        raise InputError(f"a password needs at least {MIN_PASSWORD} characters")
    account.password_hash = passwords.hash(password)
    account.failed_attempts, account.locked_until = 0, None


def sign_in(session: Session, name: str, password: str) -> tuple[str, SignedIn]:
    """Check name and password; returns the cookie's secret and the session.

    Raises
    ------
    SignInRefusedError
        The same words whether the name exists or not. The failed attempt is left in `session`: commit it.
    """
    account = by_name(session, name.strip())
    moment = now()
    if account is not None and account.locked_until is not None and account.locked_until > moment:
        minutes = int((account.locked_until - moment).total_seconds() // 60) + 1
        raise SignInRefusedError(
            f"This account is locked after {MAX_ATTEMPTS} failed attempts. Try again in {minutes} min."
        )
    nobody = _no_account()
    good = passwords.verify(password, account.password_hash if account else nobody)
    if account is None or not good or not account.active:
        if account is not None:
            account.failed_attempts += 1
            if account.failed_attempts >= MAX_ATTEMPTS:
                account.locked_until, account.failed_attempts = moment + LOCK, 0
        raise SignInRefusedError("User name or password is wrong.")
    account.failed_attempts, account.locked_until = 0, None
    secret = secrets.token_urlsafe(32)
    opened = SignedIn(
        secret_hash=digest(secret),
        account_id=account.id,
        csrf_token=secrets.token_urlsafe(32),
        created_at=moment,
        last_seen_at=moment,
    )
    session.add(opened)
    return secret, opened


def resume(session: Session, secret: str, settings: Settings) -> SignedIn | None:
    """The live session of a cookie, or None; an outlived one is deleted."""
    opened = session.get(SignedIn, digest(secret))
    if opened is None:
        return None
    moment = now()
    too_old = moment - opened.created_at > timedelta(hours=settings.session_hours)
    idle = moment - opened.last_seen_at > timedelta(minutes=settings.idle_minutes)
    if too_old or idle or not opened.account.active:
        session.delete(opened)
        return None
    if moment - opened.last_seen_at > timedelta(seconds=30):
        opened.last_seen_at = moment
    return opened


def sign_out(session: Session, secret: str) -> None:
    """End a session."""
    session.execute(delete(SignedIn).where(SignedIn.secret_hash == digest(secret)))


def create_token(session: Session, account: Account, label: str) -> str:
    """A new API token; the return value is the only copy."""
    if not label.strip():
        raise InputError("a token needs a label, for example the system that uses it")
    secret = "fh_" + secrets.token_urlsafe(32)
    session.add(ApiToken(account_id=account.id, label=label.strip()[:80], token_hash=digest(secret), created_at=now()))
    return secret


def account_of_token(session: Session, secret: str) -> Account | None:
    """The account behind a live token."""
    token = session.scalar(select(ApiToken).where(ApiToken.token_hash == digest(secret)))
    if token is None or token.revoked_at is not None or not token.account.active:
        return None
    moment = now()
    if token.last_used_at is None or moment - token.last_used_at > timedelta(minutes=1):
        token.last_used_at = moment
    return token.account
