"""``fetal-health federate``: the server, its kits, and a hospital's node."""

import getpass
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.site_data import Modality
from models.errors import InputError

if TYPE_CHECKING:
    from federated.deployment.site import SiteFolder

Folder = Annotated[Path, typer.Option("--folder", help="The federation's folder.", envvar="FETAL_HEALTH_FEDERATION")]
SiteArgument = Annotated[Path, typer.Argument(help="The site's folder, as `join` made it.")]
FEDERATION = Path("var/federation")
kits = typer.Typer(no_args_is_help=True, help="Hospitals of a federation: invite, list, revoke.")


def add_to(app: typer.Typer) -> None:
    """Mount all commands."""
    for command in (serve, join, node, approve, withdraw, log):
        app.command()(command)
    app.add_typer(kits, name="kit")


def serve(
    folder: Folder = FEDERATION,
    name: Annotated[str, typer.Option(help="Of a new federation.")] = "fetal-health",
    host: Annotated[str, typer.Option(help="Name or address that hospitals reach this server by.")] = "localhost",
    port: Annotated[int, typer.Option(help="Of the outside door, for hospitals.")] = 9443,
    inside_port: Annotated[int, typer.Option(help="Of the inside door, on loopback.")] = 9444,
    bind: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "0.0.0.0",  # noqa: S104
) -> None:
    """Serve a federation: Flower's SuperLink behind TLS, node authentication and two doors. Makes it if needed."""
    from federated.deployment.federation import FederationFolder
    from federated.deployment.identity import expires
    from federated.deployment.serve import serve as run

    federation = FederationFolder.create(folder, name, host, port, inside_port)
    federation.renew()
    ends = expires(federation.path / "tls" / "server.crt")
    typer.echo(
        f"federation {federation.name}: hospitals reach it at {federation.address}; certificate until {ends:%Y-%m-%d}"
    )
    typer.echo(f"invite one: fetal-health federate kit create HOSPITAL --folder {folder}")
    run(federation, bind)


@kits.command("create")
def create(
    hospital: Annotated[str, typer.Argument(help="Lower-case letters, digits, hyphens; one name a modality.")],
    folder: Folder = FEDERATION,
    out: Annotated[Path, typer.Option(help="Where the kit goes.")] = Path("."),
    days: Annotated[int, typer.Option(help="Until it expires.")] = 30,
) -> None:
    """Make a hospital's kit; give it to them over a channel that you trust."""
    from federated.deployment import kit
    from federated.deployment.federation import FederationFolder

    made = kit.create(FederationFolder(folder), hospital, out, days)
    typer.echo(
        f"{made}: good for one use within {days} days\nthere: fetal-health federate join {made.name} --data FOLDER"
    )


@kits.command("list")
def show(folder: Folder = FEDERATION) -> None:
    """Hospitals, their state, what they hold, when they were last there."""
    from federated.deployment.federation import FederationFolder

    federation = FederationFolder(folder)
    for one in federation.hospitals():
        seen = federation.seen(one.name)
        held = f"{seen['rows']} {seen['modality']}, last there {seen['time']}" if seen else "never there"
        typer.echo(f"{one.name:24s} {one.state:8s} {held}")


@kits.command("revoke")
def revoke(hospital: str, folder: Folder = FEDERATION) -> None:
    """Shut a hospital out: from now on the server answers nothing to its key."""
    from federated.deployment.federation import FederationFolder

    FederationFolder(folder).revoke(hospital)
    typer.echo(f"{hospital} is shut out; `fetal-health federate kit create {hospital}` would invite it again")


def join(
    kit: Annotated[Path, typer.Argument(help="The kit that the federation's operator sent.")],
    data: Annotated[Path, typer.Option(help="Folder with this hospital's data.", envvar="FETAL_HEALTH_DATA")],
    folder: Annotated[Path | None, typer.Option(help="The site's folder; default: the hospital's name.")] = None,
    modality: Annotated[
        str | None, typer.Option(help="ctg, acidaemia or ultrasound, if the data hold several.")
    ] = None,
    approve: Annotated[list[str] | None, typer.Option(help="Approve this plan, by its hash, without asking.")] = None,
    start: Annotated[bool, typer.Option(help="Answer the federation at once.")] = True,
) -> None:
    """Join a federation with a kit: check the data, make this hospital's own key, approve plans, answer."""
    from federated.deployment import kit as kits_
    from federated.deployment.preflight import preflight, report
    from federated.deployment.site import SiteFolder

    found = kits_.read(kit)
    target = folder or Path(found.hospital)
    if modality not in (None, "ctg", "acidaemia", "ultrasound"):
        raise InputError(f"--modality {modality}: it is ctg, acidaemia or ultrasound")
    wanted: Modality | None = modality  # type: ignore[assignment]
    held = preflight(found.hospital, data.resolve(), wanted, target.parent)
    for line in report(held):
        typer.echo(line)
    site = SiteFolder.create(target, found, kit, held)
    typer.echo(f"{site.name} has joined {found.federation}; its key is in {site.path} and goes nowhere")
    for bundle in site.hello():
        _, plan = site.offer(bundle)
        chosen = approve is not None and any(bundle.startswith(one) for one in approve)
        if not chosen and approve is None:
            typer.echo(plan.model_dump_json(indent=1, exclude_defaults=True))
            chosen = typer.confirm(f"approve plan {plan.name}, {bundle[:12]}, with the code that is installed here?")
        if chosen:
            site.approve(bundle, getpass.getuser())
            typer.echo(f"approved: plan {plan.name}, {bundle[:12]}")
    if start:
        _work(site)
    else:
        site.hello(leaving=True)
        typer.echo(f"start it: fetal-health federate node {site.path}")


def node(folder: SiteArgument) -> None:
    """Answer the federation until stopped (what the systemd unit and the container run)."""
    from federated.deployment.site import SiteFolder

    _work(SiteFolder(folder))


def _work(site: "SiteFolder") -> None:
    from federated.deployment.node import work
    from federated.deployment.preflight import check_disk

    check_disk(site.path)
    for number in (signal.SIGINT, signal.SIGTERM):  # systemd and containers stop by the latter
        signal.signal(number, signal.default_int_handler)
    try:
        work(site)
    except KeyboardInterrupt:
        typer.echo("stopped")


def approve(folder: SiteArgument, bundle: Annotated[str, typer.Argument(help="Hash, or its beginning.")]) -> None:
    """Approve an offered plan with the code that is installed here; a running node takes it up."""
    from federated.deployment.site import SiteFolder

    plan = SiteFolder(folder).approve(bundle, getpass.getuser())
    typer.echo(f"approved: plan {plan.name}")


def withdraw(folder: SiteArgument, bundle: Annotated[str, typer.Argument(help="Hash, or its beginning.")]) -> None:
    """Take an approval back; a run of this plan gets no further answer."""
    from federated.deployment.site import SiteFolder

    SiteFolder(folder).withdraw(bundle, getpass.getuser())
    typer.echo("withdrawn")


def log(folder: Annotated[Path, typer.Argument(help="A site's or a federation's folder.")]) -> None:
    """Check and print the hash-chained log of a site or a federation."""
    from federated.deployment.journal import Journal

    if not (folder / "journal.jsonl").exists():
        raise InputError(f"{folder}: no log there")
    lines = list(Journal(folder / "journal.jsonl").lines())
    for line in lines:
        details = ", ".join(f"{k} {v}" for k, v in line.items() if k not in {"time", "what", "previous"})
        typer.echo(f"{line['time'][:19]} {line['what']}: {details}")
    typer.echo(f"{len(lines)} lines, the chain holds")
