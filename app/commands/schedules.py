"""Retrainings that start by themselves, from the command line; the running application starts them."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.home import session_of_home
from models.errors import InputError

schedule_app = typer.Typer(no_args_is_help=True, help="Retrainings that the running application starts by itself.")


@schedule_app.command("add")
def add(
    plan: Annotated[str, typer.Argument(help="A shipped plan.")],
    every_days: Annotated[int, typer.Option(help="Start it every so many days.")] = 30,
    at: Annotated[str, typer.Option(help="First time, UTC: 2026-12-01T03:00.")] = "",
    site: Annotated[list[str] | None, typer.Option(help="A hospital; repeat it. None: simulated sites.")] = None,
    minimum_sites: Annotated[int | None, typer.Option(help="With how many of them it goes on; default: all.")] = None,
) -> None:
    """Start a plan every so many days."""
    from app.retraining import schedule
    from app.settings import settings

    try:
        first = datetime.fromisoformat(at)
    except ValueError:
        raise InputError(f"--at {at!r}: a time such as 2026-12-01T03:00") from None
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    with session_of_home() as session:
        made = schedule.add(session, settings(), plan, every_days, first, "the command line", site or [], minimum_sites)
        typer.echo(f"schedule {made.id}: {plan} every {every_days} days from {made.next_at:%Y-%m-%d %H:%M} UTC")


@schedule_app.command("list")
def show() -> None:
    """All schedules, the next one first."""
    from app.retraining.store import schedules

    with session_of_home() as session:
        for one in schedules(session):
            between = ", ".join(one.sites) or "simulated sites"
            next_at = f"{one.next_at:%Y-%m-%d %H:%M} UTC"
            typer.echo(f"{one.id}  {one.plan}  {between}  every {one.every_days} days, next {next_at}  {one.last_run}")


@schedule_app.command("remove")
def remove(identifier: int) -> None:
    """Take a schedule away."""
    from app.retraining import schedule

    with session_of_home() as session:
        schedule.remove(session, identifier)
    typer.echo("removed")
