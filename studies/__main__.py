"""``python -m studies``: everything that only produces evidence.

``train`` trains a recipe several times without a fifth of the women, records or examinations and appends what it
predicts for them to ``docs/evidence/oof``. ``store`` stores what the bundle in service, other methods and obstetricians
make of the data sets. ``write`` writes the documents from these files in some minutes, without any data set.
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from models.errors import FetalHealthError, InputError
from studies.fusion.cohort_commands import cohort_app

EVIDENCE = Path("docs/evidence")
OUTPUT = EVIDENCE / "oof"
# Each study of training: the module of its data set (None: it looks for several itself), its module and its function.
TRAINED = {
    "uci": ("uci_ctg", "pattern.study", "study"),
    "ctu-uhb": ("ctu_uhb", "acidaemia.study", "study"),
    "choices": ("ctu_uhb", "acidaemia.study", "choices"),
    "hc18": ("hc18", "heads.study", "from_run"),
    "hc18-arms": ("hc18", "heads.study", "arms"),
    "image-sites": ("hc18", "heads.image_sites", "study"),
    "private-heads": ("hc18", "privacy.private_heads", "study"),
    "families": (None, "families.study", "study"),
    "reconstruction": ("uci_ctg", "privacy.reconstruction", "study"),
}
STORED = {
    "traces": "traces.study",
    "states": "traces.states",
    "grader": "traces.grader",
    "population": "traces.population",
    "fusion": "fusion.study",
    "membership": "privacy.membership",
}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(cohort_app, name="cohort")
Data = Annotated[Path, typer.Argument(help="Folder with the data sets in their official layouts.")]


@app.command()
def train(
    study: Annotated[str, typer.Argument(help=", ".join(sorted(TRAINED)))],
    data: Data,
    plan: Annotated[Path, typer.Argument(help="The plan that holds the recipe.")],
    run: Annotated[Path | None, typer.Option(help="hc18: folder of a finished run of this plan.")] = None,
    part: Annotated[list[str] | None, typer.Option(help="Only this part; repeat it to share the work.")] = None,
    output: Annotated[Path, typer.Option(help="Folder of the stored predictions.")] = OUTPUT,
) -> None:
    """Train one study and store its out-of-fold predictions; an interrupted one goes on."""
    from federated.plan import load
    from federated.run.folder import RunFolder

    if study not in TRAINED:
        raise InputError(f"study {study!r}: one of {', '.join(sorted(TRAINED))}")
    data_set, module, function = TRAINED[study]
    recipe = load(plan)
    where = import_module(f"models.datasets.{data_set}").find(data) if data_set else data
    if where is None:
        raise InputError(f"{data}: the data set of {study} is not below this folder")
    work = getattr(import_module(f"studies.{module}"), function)
    if study != "hc18":
        work(where, recipe, output, part or [])
    elif run is None:
        raise InputError("hc18 needs the folder of a finished run (--run)")
    else:
        work(RunFolder(run), recipe, where, output)


@app.command()
def store(
    study: Annotated[str, typer.Argument(help=", ".join(sorted(STORED)))],
    data: Data,
    output: Annotated[Path, typer.Argument(help="Folder of the stored predictions.")] = OUTPUT,
) -> None:
    """Store what a study needs of the data sets, so that documents are written without them."""
    if study not in STORED:
        raise InputError(f"study {study!r}: one of {', '.join(sorted(STORED))}")
    for path in import_module(f"studies.{STORED[study]}").store(data, output):
        typer.echo(f"written: {path}")


@app.command()
def write(folder: Annotated[Path, typer.Argument(help="Where the documents go; reads FOLDER/oof.")] = EVIDENCE) -> None:
    """Write documents and pictures from the stored predictions."""
    from studies.write import write_documents

    for path in write_documents(folder):
        typer.echo(f"written: {path}")


@app.command()
def card(
    oof: Annotated[Path, typer.Argument(help="Folder of the stored predictions.")],
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    output: Annotated[Path, typer.Argument(help="New folder.")],
) -> None:
    """Write a bundle again with the figures of the stored predictions in its model card."""
    from studies.card import annotate

    typer.echo(f"bundle {annotate(oof, bundle, output)}: {output}")


@app.command("feature-vector")
def feature_vector(
    path: Annotated[Path, typer.Argument(help="The page to write.")] = Path("docs/reference/ctg-features.md"),
) -> None:
    """Write the page on the features that the CTG models see."""
    from studies.feature_vector import document

    path.write_text(document(), encoding="utf-8")
    typer.echo(f"written: {path}")


def main() -> None:
    """Entry point: expected errors are one line and exit code 2, never a traceback."""
    try:
        app()
    except FetalHealthError as error:
        typer.echo(f"studies: {error}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
