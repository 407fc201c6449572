"""Commands on accounts."""

import sys
from typing import Annotated

import typer

from app.home import session_of_home
from models.errors import InputError

user_app = typer.Typer(no_args_is_help=True, help="Manage accounts.")


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: Annotated[str, typer.Option(help="clinician, operator or administrator")] = "clinician",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
) -> None:
    """Add an account; without --password-stdin a random password is printed once."""
    import secrets

    from app.accounts.service import create_account
    from app.accounts.store import Role
    from app.audit.store import record

    if role not in list(Role):
        raise InputError(f"role {role!r}: one of {', '.join(Role)}")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(12)
    with session_of_home() as session:
        create_account(session, name, password, Role(role))
        record(session, None, "user.add", name="command line", added=name, role=role)
    typer.echo(f"added {name} ({role})" + ("" if password_stdin else f", password (shown once): {password}"))
