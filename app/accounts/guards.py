"""The guard of every route: who may call it, with a CSRF check for what a browser's session changes."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.accounts.service import account_of_token, resume
from app.accounts.store import Account, Role
from app.errors import Problem, SignInNeededError
from app.forms import form_of, refuse_hostile
from app.transactions import unit_of_work

COOKIE = "fetal_health_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class User:
    """Who is asking.

    Attributes
    ----------
    id : int or None
        Of the account; None for the command line and the demonstration, which have no account.
    name : str
    role : Role
    csrf_token : str
        Empty for an API token, which needs none.
    """

    id: int | None
    name: str
    role: Role
    csrf_token: str = ""

    def may(self, role: Role) -> bool:
        """True when the user has the role or is an administrator."""
        return self.role in (role, Role.ADMINISTRATOR)


def _user(account: Account, csrf_token: str = "") -> User:
    return User(account.id, account.name, Role(account.role), csrf_token)


def identify(request: Request, session: Session) -> User | None:
    """The user behind a bearer token or a session cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        account = account_of_token(session, token.strip())
        return _user(account) if account else None
    secret = request.cookies.get(COOKIE)
    opened = resume(session, secret, request.app.state.settings) if secret else None
    return _user(opened.account, opened.csrf_token) if opened else None


async def check_csrf(request: Request, user: User) -> None:
    """For unsafe methods of a cookie session: the token in a header or form field must match."""
    if request.method in SAFE or not user.csrf_token:
        return
    given = request.headers.get("x-csrf-token")
    if given is None and "form" in request.headers.get("content-type", ""):
        given = str((await form_of(request)).get("csrf_token", ""))
    if not secrets.compare_digest((given or "").encode(), user.csrf_token.encode()):
        raise Problem(
            403, "This form is out of date (its security token does not match). Reload the page and try again."
        )


def _resolve(request: Request) -> User | None:
    with unit_of_work(request.app.state.sessions) as session:
        return identify(request, session)


def guard(*roles: Role) -> Callable[[Request], AsyncIterator[User]]:
    """A dependency that lets in users of one of `roles` (and administrators); none means any user."""

    async def guarded(request: Request) -> AsyncIterator[User]:
        from starlette.concurrency import run_in_threadpool

        user = await run_in_threadpool(_resolve, request)
        if user is None:
            raise SignInNeededError
        request.state.user = user
        if roles and not any(user.may(role) for role in roles):
            raise Problem(403, f"This needs the role {' or '.join(roles)}.")
        try:
            await refuse_hostile(request)
            await check_csrf(request, user)
            yield user
        finally:
            await request.close()  # uploaded files, whoever read the form

    guarded.is_guard = True  # type: ignore[attr-defined]
    return guarded


async def public(request: Request) -> None:
    """Marks a route that anyone may call."""
    await refuse_hostile(request)


public.is_guard = True  # type: ignore[attr-defined]

_clinician: Any = guard(Role.CLINICIAN)
_operator: Any = guard(Role.OPERATOR)
_administrator: Any = guard(Role.ADMINISTRATOR)
_anyone: Any = guard()
Clinician = Annotated[User, Depends(_clinician)]
Operator = Annotated[User, Depends(_operator)]
Administrator = Annotated[User, Depends(_administrator)]
AnyUser = Annotated[User, Depends(_anyone)]
Public = Depends(public)
