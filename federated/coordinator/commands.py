"""Commands of a federation's operator: serve the federation; invite, list and revoke hospitals."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Option("--folder", help="The federation's folder.", envvar="FETAL_HEALTH_FEDERATION")]
FEDERATION = Path("var/federation")
kits = typer.Typer(no_args_is_help=True, help="Hospitals of a federation: invite, list, revoke.")


def serve(
    folder: Folder = FEDERATION,
    name: Annotated[str, typer.Option(help="Name of a new federation.")] = "fetal-health",
    host: Annotated[str, typer.Option(help="Name or address that hospitals reach this server by.")] = "localhost",
    port: Annotated[int, typer.Option(help="Public port, for hospitals.")] = 9443,
    inside_port: Annotated[int, typer.Option(help="Internal port, on loopback.")] = 9444,
    bind: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "0.0.0.0",  # noqa: S104
) -> None:
    """Serve a federation: Flower's SuperLink with TLS and authentication of nodes. Makes the federation if needed."""
    from federated.coordinator.folder import FederationFolder
    from federated.coordinator.serve import serve as run
    from federated.trust.identity import expires

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
    hospital: Annotated[str, typer.Argument(help="Lower-case letters, digits, hyphens; one name for each modality.")],
    folder: Folder = FEDERATION,
    out: Annotated[Path, typer.Option(help="Folder for the kit.")] = Path("."),
    days: Annotated[int, typer.Option(help="Days until the kit expires.")] = 30,
) -> None:
    """Make a hospital's kit; send it over a channel that you trust."""
    from federated.coordinator import kit
    from federated.coordinator.folder import FederationFolder

    path = kit.create(FederationFolder(folder), hospital, out, days)
    typer.echo(
        f"{path}: valid for one use within {days} days\nthere: fetal-health federate join {path.name} --data FOLDER"
    )


@kits.command("list")
def show(folder: Folder = FEDERATION) -> None:
    """List hospitals, their state, their rows, and when their nodes last said hello."""
    from federated.coordinator.folder import FederationFolder

    federation = FederationFolder(folder)
    for hospital in federation.hospitals():
        seen = federation.seen(hospital.name)
        rows = f"{seen['rows']} {seen['modality']}, last there {seen['time']}" if seen else "never there"
        typer.echo(f"{hospital.name:24s} {hospital.state:8s} {rows}")


@kits.command("revoke")
def revoke(hospital: Annotated[str, typer.Argument(help="Name of the hospital.")], folder: Folder = FEDERATION) -> None:
    """Exclude a hospital: from now on the server refuses its key."""
    from federated.coordinator.folder import FederationFolder

    FederationFolder(folder).revoke(hospital)
    typer.echo(f"{hospital} is excluded; `fetal-health federate kit create {hospital}` would invite it again")
