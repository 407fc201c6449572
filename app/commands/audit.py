"""Commands on the audit: verify its chain, print its head."""

from pathlib import Path
from typing import Annotated

import typer

audit_app = typer.Typer(no_args_is_help=True, help="The audit: verify that nothing in it was changed.")


@audit_app.command("verify")
def verify(
    head: Annotated[list[str] | None, typer.Option(help="A head that was noted earlier, as position:hash.")] = None,
    heads: Annotated[Path | None, typer.Option(help="A file of heads; default: the setting audit_heads.")] = None,
) -> None:
    """Compute the chain of the audit again, beside a running server; exit code 1 where anything differs."""
    from app.audit.chain import Head, heads_in
    from app.audit.chain import verify as run
    from app.home import session_of_home
    from app.settings import settings

    noted = [Head.parse(text) for text in head or ()]
    place = heads or settings().audit_heads
    if place is not None and (heads is not None or place.exists()):
        noted += heads_in(place)
    with session_of_home() as session:
        verdict = run(session, noted)
    for problem in verdict.problems:
        typer.echo(f"CHANGED  {problem}")
    compared = f"{len(noted)} heads compared" if noted else "no head to compare with: give one that was kept elsewhere"
    typer.echo(f"{verdict.head.position} rows chained, {verdict.newer} newer; {compared}")
    if verdict.problems:
        raise typer.Exit(1)
    typer.echo(f"head {verdict.head}")


@audit_app.command("head")
def head() -> None:
    """Print the head of the chain, to be kept elsewhere."""
    from app.audit.chain import head as present
    from app.home import session_of_home

    with session_of_home() as session:
        typer.echo(str(present(session)))
