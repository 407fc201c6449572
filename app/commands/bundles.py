"""Commands on bundles: list, show, promote and roll back."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.home import registry_of_home, session_of_home
from models.errors import InputError

models_app = typer.Typer(no_args_is_help=True, help="Bundles: list, show, promote, roll back.")
Reason = Annotated[str, typer.Option(help="Reason, stored in the audit.")]


@models_app.command("list")
def models_list() -> None:
    """List all bundles; the one in service is marked."""
    from app.bundles.store import bundles, latest

    with session_of_home() as session:
        registry_of_home().ensure_shipped(session)
        current = latest(session)
        for row in bundles(session):
            mark = "*" if current and current.bundle_id == row.identifier else " "
            typer.echo(f"{mark} {row.identifier}  {row.name}  {row.registered_at:%Y-%m-%d %H:%M}  gate {row.gate}")


@models_app.command("show")
def models_show(identifier: Annotated[str, typer.Argument(help="Identifier of a registered bundle.")]) -> None:
    """Show the model card of a bundle."""
    from app.bundles.store import BundleRow
    from models.bundle import CARD

    with session_of_home() as session:
        registry = registry_of_home()
        registry.ensure_shipped(session)
        row = session.get(BundleRow, identifier)
        if row is None:
            raise InputError(f"no bundle {identifier}")
        typer.echo((registry.folder(identifier) / CARD).read_text(encoding="utf-8"))


@models_app.command("promote")
def models_promote(
    candidate: Annotated[str, typer.Argument(help="Identifier, or the folder of a candidate.")],
    reason: Reason,
    force: Annotated[bool, typer.Option(help="Promote although the gate refused it.")] = False,
) -> None:
    """Put a bundle in service; a running application uses it without a restart."""
    from app.audit.store import record

    registry = registry_of_home()
    with session_of_home() as session:
        registry.ensure_shipped(session)
        identifier = candidate
        if Path(candidate).is_dir():
            gate = _gate(Path(candidate))
            identifier = registry.register(session, Path(candidate), gate=gate).identifier
        registry.promote(session, identifier, "command line", reason, force=force)
        record(session, None, "bundle.promote", name="command line", bundle=identifier, reason=reason, force=force)
    typer.echo(f"in service: {identifier}")


def _gate(candidate: Path) -> str:
    path = candidate.parent / "gate.json"
    if not path.exists():
        return "none"
    return "passed" if all(verdict["passed"] for verdict in json.loads(path.read_text())) else "refused"


@models_app.command("rollback")
def models_rollback(reason: Reason) -> None:
    """Put the previous bundle back in service."""
    from app.audit.store import record

    with session_of_home() as session:
        deployment = registry_of_home().roll_back(session, "command line", reason)
        record(session, None, "bundle.roll-back", name="command line", bundle=deployment.bundle_id, reason=reason)
        typer.echo(f"in service: {deployment.bundle_id}")
