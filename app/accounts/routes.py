"""Sign-in and sign-out, accounts for administrators, API tokens for everyone."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy import select
from starlette.responses import RedirectResponse, Response

from app.accounts import service
from app.accounts.guards import COOKIE, Administrator, AnyUser, Public
from app.accounts.store import Account, ApiToken, Role
from app.audit.store import record
from app.errors import NotFoundError, Problem
from app.orm import now
from app.pages import render
from app.sessions import Database
from app.texts import Number
from app.transactions import unit_of_work
from models.errors import InputError

router = APIRouter(include_in_schema=False)


def _local(path: str) -> str:
    """The path, if it lies on this server; otherwise the start page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


@router.get("/sign-in", dependencies=[Public])
def sign_in_page(request: Request, next: Annotated[str, Query(max_length=400)] = "/") -> Response:
    """The sign-in form."""
    return render(request, "sign_in.html", {"next": _local(next), "error": None})


@router.post("/sign-in", dependencies=[Public])
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=80)],
    password: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=400)] = "/",
) -> Response:
    """Open a session; wrong attempts are counted and audited."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Problem(403, "Sign in from this application's own page.")
    refusal = secret = None
    target = _local(next)
    with unit_of_work(request.app.state.sessions) as session:
        try:
            secret, opened = service.sign_in(session, name, password)
            session.flush()
            account = session.get_one(Account, opened.account_id)
            record(session, account, "sign-in")
            if target == "/" and account.role == Role.OPERATOR:
                target = "/federation"  # operators may not see the worklist
        except service.SignInRefusedError as error:
            refusal = str(error)
            record(session, None, "sign-in.refused", name=name[:80])
    if secret is None:
        return render(request, "sign_in.html", {"next": target, "error": refusal}, 401)
    response = RedirectResponse(target, 303)
    settings = request.app.state.settings
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(settings.session_hours * 3600),
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
    )
    return response


@router.post("/sign-out")
def sign_out(request: Request, user: AnyUser, session: Database) -> Response:
    """Close the session."""
    service.sign_out(session, request.cookies.get(COOKIE, ""))
    record(session, user, "sign-out")
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/account")
def account(request: Request, user: AnyUser, session: Database) -> Response:
    """The user's own tokens and password."""
    return render(request, "account.html", {"tokens": _tokens(session, user.id), "secret": None})


def _tokens(session: Database, account_id: int | None) -> list[ApiToken]:
    query = select(ApiToken).where(ApiToken.account_id == account_id, ApiToken.revoked_at.is_(None))
    return list(session.scalars(query.order_by(ApiToken.id)))


@router.post("/account/tokens")
def create_token(
    request: Request, user: AnyUser, session: Database, label: Annotated[str, Form(max_length=80)]
) -> Response:
    """Create a token and show it once."""
    owner = session.get_one(Account, user.id)
    secret = service.create_token(session, owner, label)
    record(session, user, "token.create", label=label)
    session.flush()
    return render(request, "account.html", {"tokens": _tokens(session, user.id), "secret": secret})


@router.post("/account/tokens/{identifier}/revoke")
def revoke_token(identifier: Number, user: AnyUser, session: Database) -> Response:
    """Revoke one of one's own tokens."""
    token = session.get(ApiToken, identifier)
    if token is None or token.account_id != user.id:
        raise NotFoundError(f"token {identifier}")
    token.revoked_at = now()
    record(session, user, "token.revoke", label=token.label)
    return RedirectResponse("/account", 303)


@router.post("/account/password")
def change_password(
    user: AnyUser,
    session: Database,
    present: Annotated[str, Form(max_length=200)],
    new: Annotated[str, Form(max_length=200)],
) -> Response:
    """Change one's own password."""
    try:
        service.sign_in(session, user.name, present)
    except service.SignInRefusedError:
        raise InputError("the present password is wrong") from None
    service.set_password(session.get_one(Account, user.id), new)
    record(session, user, "password.change")
    return RedirectResponse("/account", 303)


@router.get("/users")
def users(request: Request, user: Administrator, session: Database) -> Response:
    """All accounts."""
    rows = list(session.scalars(select(Account).order_by(Account.name)))
    return render(request, "users.html", {"rows": rows, "roles": [role.value for role in Role]})


@router.post("/users")
def add_user(
    user: Administrator,
    session: Database,
    name: Annotated[str, Form(max_length=80)],
    password: Annotated[str, Form(max_length=200)],
    role: Annotated[Role, Form()],
) -> Response:
    """Add an account."""
    added = service.create_account(session, name, password, role)
    record(session, user, "user.add", added=added.name, role=role.value)
    return RedirectResponse("/users", 303)


@router.post("/users/{identifier}/active")
def set_active(identifier: Number, user: Administrator, session: Database, active: Annotated[bool, Form()]) -> Response:
    """Close or reopen an account; one's own stays open."""
    row = session.get(Account, identifier)
    if row is None:
        raise NotFoundError(f"user {identifier}")
    if row.id == user.id:
        raise InputError("you cannot close your own account")
    row.active = active
    record(session, user, "user.active", changed=row.name, active=active)
    return RedirectResponse("/users", 303)
