"""Accounts for administrators: add, close, reset, unlock, and change of role."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from starlette.responses import RedirectResponse, Response

from app.accounts import attempts, service
from app.accounts.guards import Administrator, User
from app.accounts.store import Account, Role
from app.audit.store import record
from app.errors import NotFoundError
from app.pages import render
from app.sessions import Database
from app.texts import Number
from models.errors import InputError

router = APIRouter(include_in_schema=False)


def new_password() -> str:
    """A random password, for one sign-in."""
    return secrets.token_urlsafe(12)


@router.get("/users")
def users(request: Request, user: Administrator, session: Database) -> Response:
    """All accounts."""
    return _page(request, session)


def _page(request: Request, session: Database, **more: Any) -> Response:
    rows = list(session.scalars(select(Account).order_by(Account.name)))
    values = {"rows": rows, "roles": [role.value for role in Role], "shown": None, **more}
    return render(request, "users.html", values)


@router.post("/users")
def add_user(
    request: Request,
    user: Administrator,
    session: Database,
    name: Annotated[str, Form(max_length=80)],
    role: Annotated[Role, Form()],
    password: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Add an account; without a password a random one is shown once. The owner changes it at the first sign-in."""
    chosen = password or new_password()
    queue = request.app.state.passwords
    added = queue.submit(service.create_account, session, name, chosen, role).result()
    added.must_change = True
    record(session, user, "user.add", added=added.name, role=role.value)
    if password:
        return RedirectResponse("/users", 303)
    session.flush()
    return _page(request, session, shown=(added.name, chosen))


def _account(session: Database, identifier: int) -> Account:
    row = session.get(Account, identifier)
    if row is None:
        raise NotFoundError(f"user {identifier}")
    return row


def _other(session: Database, user: User, identifier: int) -> Account:
    row = _account(session, identifier)
    if row.id == user.id:
        raise InputError("another administrator must do this to your own account")
    return row


@router.post("/users/{identifier}/active")
def set_active(identifier: Number, user: Administrator, session: Database, active: Annotated[bool, Form()]) -> Response:
    """Close or reopen an account; one's own stays open. Sessions and tokens of a closed one end."""
    row = _other(session, user, identifier)
    row.active = active
    ended = {} if active else service.end_everything(session, row.id)
    record(session, user, "user.active", changed=row.name, active=active, **ended)
    return RedirectResponse("/users", 303)


@router.post("/users/{identifier}/role")
def set_role(identifier: Number, user: Administrator, session: Database, role: Annotated[Role, Form()]) -> Response:
    """Change the role of an account; its sessions and tokens end."""
    row = _other(session, user, identifier)
    earlier, row.role = row.role, role.value
    record(
        session,
        user,
        "user.role",
        changed=row.name,
        earlier=earlier,
        role=role.value,
        **service.end_everything(session, row.id),
    )
    return RedirectResponse("/users", 303)


@router.post("/users/{identifier}/reset")
def reset(request: Request, identifier: Number, user: Administrator, session: Database) -> Response:
    """Give an account a random password, shown once; its sessions and tokens end."""
    row, chosen = _other(session, user, identifier), new_password()
    request.app.state.passwords.submit(service.set_password, row, chosen).result()
    row.must_change = True
    attempts.forget(session, row.name)
    record(session, user, "user.reset", changed=row.name, **service.end_everything(session, row.id))
    session.flush()
    return _page(request, session, shown=(row.name, chosen))


@router.post("/users/{identifier}/unlock")
def unlock(identifier: Number, user: Administrator, session: Database) -> Response:
    """Let an account be tried again at once, from everywhere."""
    row = _account(session, identifier)
    attempts.forget(session, row.name)
    record(session, user, "user.unlock", changed=row.name)
    return RedirectResponse("/users", 303)


@router.post("/users/{identifier}/sign-out")
def sign_out_everywhere(identifier: Number, user: Administrator, session: Database) -> Response:
    """End all sessions and tokens of an account."""
    row = _account(session, identifier)
    record(session, user, "user.sign-out", changed=row.name, **service.end_everything(session, row.id))
    return RedirectResponse("/users", 303)
