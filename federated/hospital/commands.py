"""Commands of a hospital: join a federation, answer it, approve and withdraw agreements."""

import getpass
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import InputError

if TYPE_CHECKING:
    from federated.hospital.folder import SiteFolder
    from federated.sites.site import Modality

SiteArgument = Annotated[Path, typer.Argument(help="The hospital's folder, as `join` made it.")]


def join(
    kit: Annotated[Path, typer.Argument(help="The kit that the federation's operator sent.")],
    data: Annotated[Path, typer.Option(help="Folder with this hospital's data.", envvar="FETAL_HEALTH_DATA")],
    folder: Annotated[Path | None, typer.Option(help="Folder to make; default: the hospital's name.")] = None,
    modality: Annotated[
        str | None, typer.Option(help="ctg, acidaemia, grader or ultrasound, if the folder has several.")
    ] = None,
    approve: Annotated[
        list[str] | None, typer.Option(help="Approve this agreement, by its hash, without asking.")
    ] = None,
    start: Annotated[bool, typer.Option(help="Answer the federation at once.")] = True,
) -> None:
    """Join a federation with a kit: check the data, make this hospital's own key, approve agreements, answer."""
    from federated.hospital.folder import SiteFolder
    from federated.hospital.preflight import preflight, report
    from federated.trust import kit as kits

    invitation = kits.read(kit)
    target = folder or Path(invitation.hospital)
    if modality not in (None, "ctg", "acidaemia", "grader", "ultrasound"):
        raise InputError(f"--modality {modality}: it is ctg, acidaemia, grader or ultrasound")
    wanted: Modality | None = modality  # type: ignore[assignment]
    checked = preflight(invitation.hospital, data.resolve(), wanted, target.parent)
    for line in report(checked):
        typer.echo(line)
    site = SiteFolder.create(target, invitation, kit, checked)
    typer.echo(f"{site.name} has joined {invitation.federation}; its key is in {site.path} and stays there")
    for agreement in site.hello():
        _, plan = site.offer(agreement)
        chosen = approve is not None and any(agreement.startswith(beginning) for beginning in approve)
        if not chosen and approve is None:
            typer.echo(plan.model_dump_json(indent=1, exclude_defaults=True))
            chosen = typer.confirm(f"approve plan {plan.name}, {agreement[:12]}, with the code that is installed here?")
        if chosen:
            site.approve(agreement, getpass.getuser())
            typer.echo(f"approved: plan {plan.name}, {agreement[:12]}")
    if start:
        _work(site)
    else:
        site.hello(leaving=True)
        typer.echo(f"start it: fetal-health federate node {site.path}")


def node(folder: SiteArgument) -> None:
    """Answer the federation until stopped (what the systemd unit and the container run)."""
    from federated.hospital.folder import SiteFolder

    _work(SiteFolder(folder))


def _work(site: "SiteFolder") -> None:
    from federated.hospital.node import work
    from federated.hospital.preflight import check_disk

    check_disk(site.path)
    for number in (signal.SIGINT, signal.SIGTERM):  # systemd and containers stop by the latter
        signal.signal(number, signal.default_int_handler)
    try:
        work(site)
    except KeyboardInterrupt:
        typer.echo("stopped")


def approve(
    folder: SiteArgument, agreement: Annotated[str, typer.Argument(help="Hash of the agreement, or its beginning.")]
) -> None:
    """Approve an offered plan together with the code that is installed here; a running node takes part from then on."""
    from federated.hospital.folder import SiteFolder

    plan = SiteFolder(folder).approve(agreement, getpass.getuser())
    typer.echo(f"approved: plan {plan.name}")


def withdraw(
    folder: SiteArgument, agreement: Annotated[str, typer.Argument(help="Hash of the agreement, or its beginning.")]
) -> None:
    """Withdraw an approval; a run of this agreement gets no further reply."""
    from federated.hospital.folder import SiteFolder

    SiteFolder(folder).withdraw(agreement, getpass.getuser())
    typer.echo("withdrawn")
