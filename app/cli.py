"""The command ``fetal-health``."""

import contextlib
import ctypes
import os
import sys
from typing import Annotated

import typer

from app.commands import assessments, data
from app.commands.accounts import user_app
from app.commands.audit import audit_app
from app.commands.backup import backup_app, restore
from app.commands.bundles import models_app
from app.commands.schedules import schedule_app
from app.files import OURS_ONLY
from federated.cli import app as federate_app
from models.errors import FetalHealthError

# Longer than clients and proxies keep an idle connection (60 s): a request never meets a connection that is closing.
KEEP_ALIVE_S = 75
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(models_app, name="models")
app.add_typer(data.data_app, name="data")
app.add_typer(user_app, name="user")
app.add_typer(backup_app, name="backup")
app.add_typer(audit_app, name="audit")
app.command()(restore)
app.add_typer(schedule_app, name="schedule")
app.add_typer(federate_app, name="federate")
for command in (
    assessments.assess,
    assessments.measure,
    assessments.analyse,
    assessments.repeat,
    assessments.monitor,
    assessments.export,
    data.evaluate,
):
    app.command()(command)


def main() -> None:
    """Entry point: expected errors are one line and exit code 2, never a traceback; files are for our user alone."""
    os.umask(OURS_ONLY)
    try:
        app()
    except FetalHealthError as error:
        typer.echo(f"fetal-health: {error}", err=True)
        sys.exit(2)


@app.command()
def migrate(
    revision: Annotated[str, typer.Option(help="Revision of the schema; head is the newest.")] = "head",
    backup: Annotated[bool, typer.Option(help="First back up what is stored.")] = True,
) -> None:
    """Migrate the database schema to a revision."""
    from app.settings import settings
    from app.upgrade import upgrade

    saved = upgrade(settings(), revision, with_backup=backup)
    if saved is not None:
        typer.echo(f"backup before it: {saved}")
    typer.echo(f"schema at {revision}")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: the setting.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: the setting.")] = None,
    prepare: Annotated[
        bool, typer.Option(help="First migrate, create an administrator and demonstration patients.")
    ] = False,
) -> None:
    """Serve the application."""
    import uvicorn

    from app.settings import settings

    _share_memory()
    chosen = settings()
    if prepare:
        from app.installation import ADMINISTRATOR
        from app.installation import prepare as run

        password = run(chosen, demonstration=True)
        if password:
            typer.echo(f"\n  First administrator: {ADMINISTRATOR}\n  Password (shown once): {password}\n")
    from app.main import create_app

    application = create_app(chosen)
    address, number = host or chosen.host, port or chosen.port
    typer.echo(f"Fetal-Health on http://{address}:{number}  (research prototype, not a medical device)")
    uvicorn.run(
        application,
        host=address,
        port=number,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def _share_memory() -> None:
    """Let all threads share two heaps (glibc); one heap per thread costs 200 MB with ten clients and gains nothing."""
    arena_max = -8  # M_ARENA_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(arena_max, 2)


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option(help="Load the models too, not only compare their hashes.")] = False,
) -> None:
    """Run the self-check: is everything that the installation needs in order?"""
    from app.self_check import self_check

    lines = self_check(deep=deep)
    for good, text in lines:
        typer.echo(f"{'ok     ' if good else 'PROBLEM'}  {text}")
    if not all(good for good, _ in lines):
        raise typer.Exit(1)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
