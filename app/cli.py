"""The command ``fetal-health``."""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app import assessment_commands, cohort_commands, file_commands, schedule_commands
from models.errors import FetalHealthError, InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
models_app = typer.Typer(no_args_is_help=True, help="Bundles: list, show, promote, roll back.")
data_app = typer.Typer(no_args_is_help=True, help="Data sets: fetch, check, make synthetic ones.")
user_app = typer.Typer(no_args_is_help=True, help="Accounts.")
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.add_typer(user_app, name="user")
app.add_typer(cohort_commands.cohort_app, name="cohort")
app.add_typer(schedule_commands.schedule_app, name="schedule")
app.command("repeat")(assessment_commands.repeat)
app.command("monitor")(assessment_commands.monitor)
app.command("assess")(file_commands.assess)
app.command("measure")(file_commands.measure)
app.command("analyse")(file_commands.analyse)
Reason = Annotated[str, typer.Option(help="Why; kept in the audit.")]


def main() -> None:
    """Entry point: expected errors are one line and exit code 2, never a traceback."""
    from federated.cli import app as federate

    app.add_typer(federate, name="federate")
    try:
        app()
    except FetalHealthError as error:
        typer.echo(f"fetal-health: {error}", err=True)
        sys.exit(2)


def session_of_home() -> Any:
    """A unit of work on this installation's database, its schema brought up to date."""
    from app.database import make_engine, migrate, session_factory, unit_of_work
    from app.settings import settings

    chosen = settings()
    chosen.home.mkdir(parents=True, exist_ok=True)
    engine = make_engine(chosen.database)
    migrate(engine)
    return unit_of_work(session_factory(engine))


def _registry() -> Any:
    from app.registry.service import BundleRegistry
    from app.settings import settings

    return BundleRegistry(settings().home)


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the database schema to a revision."""
    from app.database import make_engine
    from app.database import migrate as run
    from app.settings import settings

    settings().home.mkdir(parents=True, exist_ok=True)
    run(make_engine(settings().database), revision)
    typer.echo(f"schema at {revision}")


@app.command()
def serve(
    host: str | None = None,
    port: int | None = None,
    prepare: Annotated[bool, typer.Option(help="Migrate, first administrator, demonstration patients.")] = False,
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
    address, number = host or chosen.host, port or chosen.port
    typer.echo(f"Fetal-Health on http://{address}:{number}  (research prototype, not a medical device)")
    uvicorn.run(
        "app.main:create_app", factory=True, host=address, port=number, log_level="warning", server_header=False
    )


def _share_memory() -> None:
    """Let threads share two heaps (glibc): one a thread costs 200 MB under ten clients and gains nothing."""
    arena_max = -8  # M_ARENA_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(arena_max, 2)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder with data sets in their official layouts.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Score the bundle in service (without a database: the shipped one) on a folder of data sets."""
    from app.settings import settings
    from models.bundle import Bundle, shipped
    from models.evaluation.report import evaluate as run
    from models.evaluation.report import words

    chosen = settings()
    folder = shipped()
    database = chosen.database
    if not database.startswith("sqlite:///") or Path(database.removeprefix("sqlite:///")).exists():
        from app.registry.service import BundleRegistry
        from app.registry.store import latest

        with session_of_home() as session:
            deployment = latest(session)
            folder = BundleRegistry(chosen.home).folder(deployment.bundle_id) if deployment else folder
    if not data.is_dir():
        raise InputError(f"{data}: not a folder")
    report = run(Bundle(folder), data)
    typer.echo(json.dumps(report) if as_json else words(report))


@app.command()
def doctor() -> None:
    """Look whether everything an installation needs is in order."""
    from app.diagnosis import diagnose

    lines = diagnose()
    for good, text in lines:
        typer.echo(f"{'ok     ' if good else 'PROBLEM'}  {text}")
    if not all(good for good, _ in lines):
        raise typer.Exit(1)


@app.command()
def backup(archive: Path) -> None:
    """Write database and bundles into an archive; the application may run."""
    from app.backup import backup as run
    from app.settings import settings

    run(settings(), archive)
    typer.echo(f"written: {archive}")


@app.command()
def restore(archive: Path) -> None:
    """Put an archive back into an empty home."""
    from app.backup import restore as run
    from app.settings import settings

    run(settings(), archive)
    typer.echo(f"restored into {settings().home}")


@user_app.command("add")
def user_add(
    name: str,
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


@models_app.command("list")
def models_list() -> None:
    """All bundles; the one in service is marked."""
    from app.registry.store import bundles, latest

    with session_of_home() as session:
        _registry().ensure_shipped(session)
        current = latest(session)
        for row in bundles(session):
            mark = "*" if current and current.bundle_id == row.identifier else " "
            typer.echo(f"{mark} {row.identifier}  {row.name}  {row.registered_at:%Y-%m-%d %H:%M}  gate {row.gate}")


@models_app.command("show")
def models_show(identifier: str) -> None:
    """The model card of a bundle."""
    from app.registry.store import BundleRow
    from models.bundle import CARD

    with session_of_home() as session:
        registry = _registry()
        registry.ensure_shipped(session)
        row = session.get(BundleRow, identifier)
        if row is None:
            raise InputError(f"no bundle {identifier}")
        typer.echo((registry.folder(identifier) / CARD).read_text(encoding="utf-8"))


@models_app.command("promote")
def models_promote(
    candidate: Annotated[str, typer.Argument(help="Identifier, or the folder of a candidate.")],
    reason: Reason,
    force: Annotated[bool, typer.Option(help="Promote although the gate refused it.")] = False,
) -> None:
    """Put a bundle in service; a running application takes it up without a restart."""
    from app.audit.store import record

    registry = _registry()
    with session_of_home() as session:
        registry.ensure_shipped(session)
        identifier = candidate
        if Path(candidate).is_dir():
            gate = _gate(Path(candidate))
            identifier = registry.register(session, Path(candidate), gate=gate).identifier
        registry.promote(session, identifier, "command line", reason, force=force)
        record(session, None, "bundle.promote", name="command line", bundle=identifier, reason=reason, force=force)
    typer.echo(f"in service: {identifier}")


def _gate(candidate: Path) -> str:
    path = candidate.parent / "gate.json"
    if not path.exists():
        return "none"
    return "passed" if all(verdict["passed"] for verdict in json.loads(path.read_text())) else "refused"


@models_app.command("rollback")
def models_rollback(reason: Reason) -> None:
    """Put the bundle back in service that served before."""
    from app.audit.store import record

    with session_of_home() as session:
        made = _registry().roll_back(session, "command line", reason)
        record(session, None, "bundle.roll-back", name="command line", bundle=made.bundle_id, reason=reason)
        typer.echo(f"in service: {made.bundle_id}")


@data_app.command("fetch")
def data_fetch(
    folder: Path, name: Annotated[str, typer.Option(help="uci, ctu-uhb or hc18; default all.")] = ""
) -> None:
    """Download data sets from their official homes (needs internet)."""
    from models.datasets.download import fetch

    for line in fetch(folder, name):
        typer.echo(line)


@data_app.command("check")
def data_check(folder: Path) -> None:
    """Say which data sets are below a folder and whether they can be read."""
    from models.datasets.download import check

    lines = check(folder)
    for good, text in lines:
        typer.echo(f"{'ok     ' if good else 'absent '}  {text}")
    if not any(good for good, _ in lines):
        raise typer.Exit(1)


@data_app.command("synthesise")
def data_synthesise(folder: Path, seed: int = 0) -> None:
    """Write synthetic data sets in the official layouts (evidence of nothing)."""
    from models.datasets.synthetic import write

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty")
    write(folder, seed=seed)
    typer.echo(f"written: {folder}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
