"""API tokens: what a system may do in a person's name, until when."""

import secrets
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.service import digest
from app.accounts.store import Account, ApiToken, Scope
from app.orm import now
from models.errors import InputError

DAYS, MOST_DAYS = 90, 366
SEEN_EVERY = timedelta(minutes=1)


def create_token(
    session: Session, account: Account, label: str, scopes: Iterable[str] = tuple(Scope), days: int = DAYS
) -> str:
    """A new API token; the return value is the only copy.

    Raises
    ------
    InputError
        There is no label, no scope or an unknown one, or the time is out of range.
    """
    if not label.strip():
        raise InputError("a token needs a label, for example the system that uses it")
    chosen = sorted(set(scopes))
    if not chosen or not set(chosen) <= set(Scope):
        raise InputError(f"choose at least one scope of {', '.join(Scope)}")
    if not 1 <= days <= MOST_DAYS:
        raise InputError(f"a token lives for 1 to {MOST_DAYS} days")
    secret, moment = "fh_" + secrets.token_urlsafe(32), now()
    session.add(
        ApiToken(
            account_id=account.id,
            label=label.strip()[:80],
            token_hash=digest(secret),
            scopes=[str(scope) for scope in chosen],
            created_at=moment,
            expires_at=moment + timedelta(days=days),
        )
    )
    return secret


def token_of(session: Session, secret: str) -> ApiToken | None:
    """The live token of a secret; None where it was revoked, has ended, or its owner's account is closed."""
    token = session.scalar(select(ApiToken).where(ApiToken.token_hash == digest(secret)))
    moment = now()
    if token is None or token.revoked_at is not None or token.expires_at <= moment or not token.account.active:
        return None
    if token.last_used_at is None or abs(moment - token.last_used_at) > SEEN_EVERY:
        token.last_used_at = moment
    return token
