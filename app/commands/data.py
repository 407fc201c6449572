"""Commands on data sets: fetch, check, generate synthetic ones, and evaluate the bundle in service on them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.home import registry_of_home, session_of_home
from models.errors import InputError

data_app = typer.Typer(no_args_is_help=True, help="Data sets: fetch, check, generate synthetic ones.")


@data_app.command("fetch")
def data_fetch(
    folder: Annotated[Path, typer.Argument(help="Where the data sets go.")],
    name: Annotated[str, typer.Option(help="uci, ctu-uhb or hc18; default all.")] = "",
) -> None:
    """Download data sets from their official sources (needs internet)."""
    from models.datasets.download import fetch

    for line in fetch(folder, name):
        typer.echo(line)


@data_app.command("check")
def data_check(folder: Annotated[Path, typer.Argument(help="Folder with the data sets.")]) -> None:
    """List the data sets in a folder and say whether they can be read."""
    from models.datasets.download import check

    lines = check(folder)
    for good, text in lines:
        typer.echo(f"{'ok     ' if good else 'absent '}  {text}")
    if not any(good for good, _ in lines):
        raise typer.Exit(1)


@data_app.command("synthesise")
def data_synthesise(
    folder: Annotated[Path, typer.Argument(help="New folder for the synthetic data sets.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 0,
) -> None:
    """Write synthetic data sets in the official layouts (they are no evidence)."""
    from models.synthetic.datasets import write

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty")
    write(folder, seed=seed)
    typer.echo(f"written: {folder}")


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder with data sets in their official layouts.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Evaluate the bundle in service (or the shipped one, where there is no database) on a folder of data sets."""
    from app.settings import settings
    from models.bundle import Bundle, shipped
    from models.evaluation.report import evaluate as run
    from models.evaluation.report import words

    chosen = settings()
    folder = shipped()
    database = chosen.database
    if not database.startswith("sqlite:///") or Path(database.removeprefix("sqlite:///")).exists():
        from app.bundles.store import latest

        with session_of_home() as session:
            deployment = latest(session)
            folder = registry_of_home().folder(deployment.bundle_id) if deployment else folder
    if not data.is_dir():
        raise InputError(f"{data}: not a folder")
    report = run(Bundle(folder), data)
    typer.echo(json.dumps(report) if as_json else words(report))
