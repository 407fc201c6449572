"""Sign-in and sign-out; one's own password, sessions and tokens."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from app.accounts import service
from app.accounts.attempts import TooManyAttemptsError
from app.accounts.guards import Person, Public, User, cookie_name, place_of
from app.accounts.store import Account, ApiToken, Role, Scope, by_name, sessions_of, tokens_of
from app.accounts.tokens import DAYS, MOST_DAYS, create_token
from app.audit.store import record
from app.errors import NotFoundError, Problem
from app.orm import now
from app.pages import render
from app.sessions import Database
from app.texts import Number
from app.transactions import unit_of_work
from models.errors import InputError

router = APIRouter(include_in_schema=False)
REFUSED_AFTER_S = 1.0  # so that who guesses on some connections asks no more often than that on each
Password = Annotated[str, Form(max_length=200)]


def _local(path: str) -> str:
    """The path, if it lies on this server; otherwise the start page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


@router.get("/sign-in", dependencies=[Public])
def sign_in_page(request: Request, next: Annotated[str, Query(max_length=400)] = "/") -> Response:
    """The sign-in form."""
    return render(request, "sign_in.html", {"next": _local(next), "error": None})


@router.post("/sign-in", dependencies=[Public])
async def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=80)],
    password: Password,
    next: Annotated[str, Form(max_length=400)] = "/",
) -> Response:
    """Open a session; wrong attempts are counted and audited."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Problem(403, "Sign in from this application's own page.")
    state, place = request.app.state, place_of(request)
    queued = state.passwords.submit(service.check_password, state.sessions, place, name, password)
    try:
        number = await asyncio.wrap_future(queued)
    except TooManyAttemptsError:
        await asyncio.sleep(REFUSED_AFTER_S)
        raise
    except service.SignInRefusedError as error:
        await asyncio.sleep(REFUSED_AFTER_S)
        await run_in_threadpool(_refused, request, name)
        return render(request, "sign_in.html", {"next": _local(next), "error": str(error)}, 401)
    return await run_in_threadpool(_signed_in, request, number, _local(next))


def _refused(request: Request, name: str) -> None:
    """A row of the audit; the name only where there is such an account, since people type passwords there."""
    with unit_of_work(request.app.state.sessions) as session:
        account = by_name(session, name.strip())
        shown = account.name if account else ""
        record(session, None, "sign-in.refused", place=place_of(request), name=shown, known=account is not None)


def _signed_in(request: Request, number: int, target: str) -> Response:
    settings = request.app.state.settings
    with unit_of_work(request.app.state.sessions) as session:
        account = session.get_one(Account, number)
        place = place_of(request)
        secret = service.open_session(session, account, place, request.headers.get("user-agent", ""), settings)
        record(session, account, "sign-in", place=place, handle=service.digest(secret)[:12])
        if target == "/" and account.role == Role.OPERATOR:
            target = "/federation"  # operators may not see the worklist
        if account.must_change:
            target = "/account"
    response = RedirectResponse(target, 303)
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(settings.session_hours * 3600),
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request, user: Person, session: Database) -> Response:
    """Close the session."""
    service.end_sessions(session, user.id or 0, only=user.session)
    record(session, user, "sign-out")
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(cookie_name(request), secure=request.app.state.settings.secure_cookies)
    return response


@router.get("/account")
def account(request: Request, user: Person, session: Database) -> Response:
    """The user's own tokens, sessions and password."""
    return _page(request, user, session)


def _page(request: Request, user: User, session: Database, status: int = 200, **more: Any) -> Response:
    tokens, opened = tokens_of(session, user.id, now()), sessions_of(session, user.id)
    choices = {"scopes": list(Scope), "days": DAYS, "most_days": MOST_DAYS}
    values = {"tokens": tokens, "sessions": opened, "secret": None, "error": None, **choices, **more}
    return render(request, "account.html", values, status)


@router.post("/account/tokens")
def add_token(
    request: Request,
    user: Person,
    session: Database,
    label: Annotated[str, Form(max_length=80)],
    scopes: Annotated[list[Scope] | None, Form()] = None,
    days: Annotated[int, Form()] = DAYS,
) -> Response:
    """Create a token and show it once."""
    owner = session.get_one(Account, user.id)
    secret = create_token(session, owner, label, scopes or (), days)
    record(session, user, "token.create", label=label, scopes=[str(scope) for scope in scopes or ()], days=days)
    session.flush()
    return _page(request, user, session, secret=secret)


@router.post("/account/tokens/{identifier}/revoke")
def revoke_token(identifier: Number, user: Person, session: Database) -> Response:
    """Revoke one of one's own tokens."""
    token = session.get(ApiToken, identifier)
    if token is None or token.account_id != user.id:
        raise NotFoundError(f"token {identifier}")
    token.revoked_at = now()
    record(session, user, "token.revoke", label=token.label)
    return RedirectResponse("/account", 303)


@router.post("/account/sessions/end")
def end_sessions(user: Person, session: Database, handle: Annotated[str, Form(max_length=12)] = "") -> Response:
    """End one of one's own sessions, or all others."""
    if handle and not handle.isalnum():
        raise InputError("there is no such session")
    ended = service.end_sessions(session, user.id or 0, but="" if handle else user.session, only=handle)
    record(session, user, "session.end", ended=ended)
    return RedirectResponse("/account", 303)


@router.post("/account/password")
async def change_password(request: Request, user: Person, present: Password, new: Password) -> Response:
    """Change one's own password; other sessions and all tokens end."""
    state = request.app.state
    queued = state.passwords.submit(_changed, request, user, present, new)
    try:
        await asyncio.wrap_future(queued)
    except service.SignInRefusedError:
        raise InputError("the present password is wrong") from None
    return RedirectResponse("/account", 303)


def _changed(request: Request, user: User, present: str, new: str) -> None:
    sessions = request.app.state.sessions
    try:
        service.check_password(sessions, user.place, user.name, present)
    except service.SignInRefusedError:
        with unit_of_work(sessions) as session:
            record(session, user, "password.refused")
        raise
    with unit_of_work(sessions) as session:
        own = session.get_one(Account, user.id)
        service.set_password(own, new)
        own.must_change = False
        ended = service.end_everything(session, own.id, but=user.session)
        record(session, user, "password.change", **ended)
