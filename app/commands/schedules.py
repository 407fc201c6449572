"""Commands on scheduled retraining; the running application starts what is due."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.home import session_of_home
from models.errors import InputError

schedule_app = typer.Typer(no_args_is_help=True, help="Retraining that the running application starts on schedule.")


@schedule_app.command("add")
def add(
    plan: Annotated[str, typer.Argument(help="A shipped plan.")],
    every_days: Annotated[int, typer.Option(help="Days between two runs.")] = 30,
    at: Annotated[str, typer.Option(help="First time, UTC: 2026-12-01T03:00.")] = "",
    site: Annotated[list[str] | None, typer.Option(help="A hospital; may repeat. None: simulated sites.")] = None,
    minimum_sites: Annotated[
        int | None, typer.Option(help="Fewest hospitals with which the run goes on; default: all.")
    ] = None,
) -> None:
    """Schedule a plan."""
    from app.retraining import schedule
    from app.settings import settings

    try:
        first = datetime.fromisoformat(at)
    except ValueError:
        raise InputError(f"--at {at!r}: a time such as 2026-12-01T03:00") from None
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    with session_of_home() as session:
        added = schedule.add(
            session, settings(), plan, every_days, first, "the command line", site or [], minimum_sites
        )
        typer.echo(f"schedule {added.id}: {plan} every {every_days} days from {added.next_at:%Y-%m-%d %H:%M} UTC")


@schedule_app.command("list")
def show() -> None:
    """List all schedules, the next one first."""
    from app.retraining.store import schedules

    with session_of_home() as session:
        for row in schedules(session):
            between = ", ".join(row.sites) or "simulated sites"
            next_at = f"{row.next_at:%Y-%m-%d %H:%M} UTC"
            typer.echo(f"{row.id}  {row.plan}  {between}  every {row.every_days} days, next {next_at}  {row.last_run}")


@schedule_app.command("remove")
def remove(identifier: Annotated[int, typer.Argument(help="Number of the schedule, as `show` prints it.")]) -> None:
    """Remove a schedule."""
    from app.retraining import schedule

    with session_of_home() as session:
        schedule.remove(session, identifier)
    typer.echo("removed")
