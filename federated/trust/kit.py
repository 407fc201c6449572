"""Reading a hospital's kit: the file with everything that it needs to join a federation."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from federated.trust.identity import PrivateKey, load_private
from models.errors import InputError

VALID_DAYS = 30


@dataclass(frozen=True)
class Kit:
    """The content of a kit.

    Attributes
    ----------
    hospital, federation, address : str
        Names, and ``host:port`` of the server.
    number : int
        Place of the hospital in the order of invitation.
    identifier, expires : str
    authority : bytes
        Certificate of the authority to trust, PEM.
    key : PrivateKey
        Private key for the enrolment, valid once.
    """

    hospital: str
    federation: str
    address: str
    number: int
    identifier: str
    expires: str
    authority: bytes
    key: PrivateKey


def read(path: Path) -> Kit:
    """Read a kit.

    Raises
    ------
    InputError
        The file is no kit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("kit.json"))
            return Kit(**about, authority=archive.read("ca.crt"), key=load_private(archive.read("enrolment.key")))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
        raise InputError(f"{path}: no kit; ask the federation's operator for `federate kit create`") from None


def unpack(path: Path, folder: Path) -> None:
    """Copy the systemd unit, the compose file and the instructions from a kit into a folder."""
    with zipfile.ZipFile(path) as archive:
        for name in ("fetal-health-node.service", "compose.yaml", "README.txt"):
            (folder / name).write_bytes(archive.read(name))
