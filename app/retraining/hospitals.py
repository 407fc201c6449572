"""The hospitals of the federation that is served from this machine."""

import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.settings import Settings
from federated.coordinator import kit
from federated.coordinator.folder import FederationFolder, Hospital
from models.errors import FetalHealthError


@dataclass(frozen=True)
class View:
    """What the federation page shows.

    Attributes
    ----------
    name, address : str
    open : bool
        Its server is running.
    hospitals : list of (Hospital, dict)
        Each hospital with the last report of its node.
    """

    name: str
    address: str
    open: bool
    hospitals: list[tuple[Hospital, dict[str, Any]]]


def federation(settings: Settings) -> FederationFolder:
    """The folder of the federation that is set.

    Raises
    ------
    FetalHealthError
        No federation is set.
    """
    if settings.federation is None:
        raise FetalHealthError("set FETAL_HEALTH_FEDERATION to the folder of a federation and restart the application")
    return FederationFolder(settings.federation)


def view(settings: Settings) -> View | None:
    """The federation, if one is set."""
    if settings.federation is None:
        return None
    folder = federation(settings)
    members = [(hospital, folder.seen(hospital.name)) for hospital in folder.hospitals()]
    return View(folder.name, folder.address, _open(int(folder.settings["inside_port"])), members)


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.3).close()
    except OSError:
        return False
    return True


def invite(settings: Settings, name: str) -> bytes:
    """Invite a hospital and return its kit, a ZIP archive."""
    with tempfile.TemporaryDirectory() as scratch:
        return kit.create(federation(settings), name, Path(scratch)).read_bytes()
