"""The guard of every route: who may call it, with a CSRF check for what a browser's session changes.

A system with a token may do what its scopes say, within the role of the token's owner. Some things only a person may
do who has signed in: sign, and whatever concerns accounts, sessions and tokens.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.accounts.service import resume
from app.accounts.store import Account, Role, Scope
from app.accounts.tokens import token_of
from app.audit.store import record
from app.errors import PasswordChangeNeededError, Problem, SignInNeededError
from app.forms import form_of, refuse_hostile
from app.transactions import unit_of_work

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_PLACE = 60
# What a person whose password was chosen by somebody else may do before changing it.
BEFORE_CHANGE = frozenset({"/account", "/account/password", "/sign-out"})


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
    scopes : frozenset of Scope or None
        Of an API token; None for a person who has signed in.
    place : str
        Address that the request came from.
    session : str
        Handle of the session, or number of the token.
    must_change : bool
        The password was chosen by somebody else.
    """

    id: int | None
    name: str
    role: Role
    csrf_token: str = ""
    scopes: frozenset[Scope] | None = None
    place: str = ""
    session: str = ""
    must_change: bool = False

    def may(self, role: Role) -> bool:
        """True when the user has the role or is an administrator."""
        return self.role in (role, Role.ADMINISTRATOR)


def place_of(request: Request) -> str:
    """The address that a request came from."""
    return (request.client.host if request.client else "")[:MOST_PLACE]


def cookie_name(request: Request) -> str:
    """The name of the session's cookie; browsers bind the first to this host and to TLS."""
    return "__Host-fetal_health_session" if request.app.state.settings.secure_cookies else "fetal_health_session"


def identify(request: Request, session: Session) -> User | None:
    """The user behind a bearer token or a session cookie."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    place = place_of(request)
    if scheme.lower() == "bearer":
        token = token_of(session, secret.strip())
        if token is None:
            return None
        scopes = frozenset(Scope(scope) for scope in token.scopes)
        return _user(token.account, scopes=scopes, place=place, session=f"token {token.id}")
    cookie = request.cookies.get(cookie_name(request))
    opened = resume(session, cookie, request.app.state.settings) if cookie else None
    if opened is None:
        return None
    account = opened.account
    return _user(
        account,
        csrf_token=opened.csrf_token,
        place=place,
        session=opened.handle,
        must_change=account.must_change,
    )


def _user(account: Account, **more: Any) -> User:
    return User(account.id, account.name, Role(account.role), **more)


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


def _refusal(request: Request, user: User, roles: tuple[Role, ...], changes: Scope | None, person: bool) -> str:
    """Why this user may not do this; empty where the user may."""
    if roles and not any(user.may(role) for role in roles):
        return f"This needs the role {' or '.join(roles)}."
    if user.scopes is None:
        return ""
    needed = Scope.READ if request.method in SAFE else changes
    if person or needed is None:
        return "Only a person who has signed in may do this, no API token."
    return "" if needed in user.scopes else f"This needs a token with the scope {needed}."


def _note_refusal(request: Request, user: User, why: str) -> None:
    """A row of the audit for refused access; repeats within some minutes are one."""
    with unit_of_work(request.app.state.sessions) as session:
        address = f"{request.method} {request.url.path}"[:200]
        record(session, user, "access.refused", fold=True, address=address, why=why)


def guard(*roles: Role, changes: Scope | None = None, person: bool = False) -> Callable[[Request], AsyncIterator[User]]:
    """A dependency that lets in users of one of `roles` (and administrators); none means any user.

    Parameters
    ----------
    changes : Scope or None
        What a token needs for methods that change something; None: no token will do.
    person : bool
        No token will do for anything.
    """

    async def guarded(request: Request) -> AsyncIterator[User]:
        from starlette.concurrency import run_in_threadpool

        user = await run_in_threadpool(_resolve, request)
        if user is None:
            raise SignInNeededError
        request.state.user = user
        why = _refusal(request, user, roles, changes, person)
        if why:
            await run_in_threadpool(_note_refusal, request, user, why)
            raise Problem(403, why)
        if user.must_change and request.url.path not in BEFORE_CHANGE:
            raise PasswordChangeNeededError
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

_clinician: Any = guard(Role.CLINICIAN, changes=Scope.ASSESS)
_reviewer: Any = guard(Role.CLINICIAN, changes=Scope.REVIEW)
_signer: Any = guard(Role.CLINICIAN)
_operator: Any = guard(Role.OPERATOR, changes=Scope.OPERATE)
_auditor: Any = guard(Role.ADMINISTRATOR)
_administrator: Any = guard(Role.ADMINISTRATOR, person=True)
_anyone: Any = guard()
_person: Any = guard(person=True)
Clinician = Annotated[User, Depends(_clinician)]
Reviewer = Annotated[User, Depends(_reviewer)]
Signer = Annotated[User, Depends(_signer)]
Operator = Annotated[User, Depends(_operator)]
Auditor = Annotated[User, Depends(_auditor)]
Administrator = Annotated[User, Depends(_administrator)]
AnyUser = Annotated[User, Depends(_anyone)]
Person = Annotated[User, Depends(_person)]
Public = Depends(public)
