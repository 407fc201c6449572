"""The commands ``fetal-health federate ...``: train by a plan, on this machine or between hospitals."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from federated.coordinator import commands as coordinator
from federated.hospital import commands as hospital
from models.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Federated training: simulated on this machine, or between hospitals.")
for command in (coordinator.serve, hospital.join, hospital.node, hospital.approve, hospital.withdraw):
    app.command()(command)
app.add_typer(coordinator.kits, name="kit")


@app.command("run")
def run(
    plan: Annotated[Path, typer.Argument(help="A plan file, or the name of a shipped plan.")],
    data: Annotated[Path | None, typer.Option(help="Folder with the data sets.", envvar="FETAL_HEALTH_DATA")] = None,
    folder: Annotated[Path | None, typer.Option(help="Run folder; an interrupted run in it is resumed.")] = None,
    incumbent: Annotated[Path | None, typer.Option(help="Bundle to compare with; default: the shipped one.")] = None,
    home: Annotated[
        Path,
        typer.Option(help="Installation folder; run folders are made in its folder runs.", envvar="FETAL_HEALTH_HOME"),
    ] = Path("var"),
    on: Annotated[Path | None, typer.Option(help="Folder of a federation: the run is between its hospitals.")] = None,
) -> None:
    """Train a candidate bundle and compare it with the bundle in service; exit code 3 if the gate refuses it."""
    from federated.plan import load, shipped_plans
    from federated.run import control
    from models.bundle import shipped

    plans = shipped_plans()
    path = plan if plan.exists() else plans.get(str(plan))
    if path is None:
        raise InputError(f"{plan}: no such plan file; shipped plans are {', '.join(plans)}")
    if folder is None or not (folder / "plan.toml").exists():
        target, _ = control.prepare(folder.parent if folder else home / "runs", load(path))
        if folder is not None:
            target = target.rename(folder)
        folder = target
    incumbent = incumbent or (shipped() if (shipped() / "manifest.json").exists() else None)
    line = control.command(folder, data.resolve() if data else None, incumbent, on)
    typer.echo(f"run folder: {folder}")
    process = control.launch(folder, line)
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # the job got the interrupt too, and ends by itself
    if code == 0:
        typer.echo(f"candidate: {folder / 'candidate'}\npromote it: fetal-health models promote {folder / 'candidate'}")
    sys.exit(code)


@app.command("plans")
def plans() -> None:
    """List the plans that come with the package."""
    from federated.plan import shipped_plans

    for name, path in shipped_plans().items():
        typer.echo(f"{name}  {path}")


@app.command("status")
def status(folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Show the state of a run."""
    from federated.run.status import read_status

    run_status = read_status(folder)
    typer.echo(f"{run_status.name}: {run_status.state}" + (f" ({run_status.reason})" if run_status.reason else ""))
    for modality, event in run_status.rounds.items():
        typer.echo(f"  {modality}: round {event['round']} of {event['rounds']}")
    for verdict in run_status.verdicts:
        typer.echo(f"  gate: {verdict}")


@app.command("stop")
def stop(folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Stop a run; the same `federate run --folder` resumes it later."""
    from federated.run import control

    control.stop(folder)
    typer.echo("asked to stop")


@app.command()
def log(folder: Annotated[Path, typer.Argument(help="Folder of a hospital or of a federation.")]) -> None:
    """Check and print the hash-chained log of a hospital or of a federation."""
    from federated.trust.journal import Journal

    if not (folder / "journal.jsonl").exists():
        raise InputError(f"{folder}: there is no log")
    lines = list(Journal(folder / "journal.jsonl").lines())
    for line in lines:
        details = ", ".join(f"{k} {v}" for k, v in line.items() if k not in {"time", "what", "previous"})
        typer.echo(f"{line['time'][:19]} {line['what']}: {details}")
    typer.echo(f"{len(lines)} lines, the chain holds")
