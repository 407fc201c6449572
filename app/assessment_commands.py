"""Commands on stored assessments: make one again, and watch them."""

import json
from typing import Annotated

import typer

from models.errors import InputError


def repeat(identifier: Annotated[int, typer.Argument(help="Number of the assessment.")]) -> None:
    """Make a stored assessment again from its stored inputs; exit code 1 where a digit differs."""
    from app.assessments import service
    from app.assessments.store import Assessment
    from app.database import make_engine, session_factory, unit_of_work
    from app.registry.service import BundleRegistry
    from app.settings import settings

    chosen = settings()
    with unit_of_work(session_factory(make_engine(chosen.database))) as session:
        found = session.get(Assessment, identifier)
        if found is None:
            raise InputError(f"no assessment {identifier}")
        lines = service.run_again(session, BundleRegistry(chosen.home).open(found.bundle), found)
    for line in lines:
        typer.echo(line)
    typer.echo(f"assessment {identifier}: {f'{len(lines)} differences' if lines else 'the same to the last digit'}")
    if lines:
        raise typer.Exit(1)


def monitor(as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False) -> None:
    """Look at drift, refusals and live calibration of every site and bundle; exit code 4 while notices are open."""
    from app.database import make_engine, session_factory, unit_of_work
    from app.monitoring import service
    from app.monitoring.store import open_notices
    from app.registry.service import BundleRegistry
    from app.settings import settings

    chosen = settings()
    registry = BundleRegistry(chosen.home)
    with unit_of_work(session_factory(make_engine(chosen.database))) as session:
        reports = [service.watch(session, site, registry.open(name)) for site, name, _ in service.places(session)]
        notices = [f"{n.site}, {n.bundle}: {n.text}" for n in open_notices(session)]
    if as_json:
        typer.echo(json.dumps({"reports": reports, "notices": notices}, indent=1))
    else:
        for one in reports:
            outcomes = one["outcomes"]["births"]
            typer.echo(f"{one['site']}, {one['bundle']}: {one['assessments']} assessments, {outcomes} with an outcome")
        typer.echo("\n".join(notices) or "no open notices")
    if notices:
        raise typer.Exit(4)
