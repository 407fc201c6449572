"""Reading a hospital's kit: the file with everything that it needs to join a federation."""

import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from federated.trust.identity import PrivateKey, load_private
from models.errors import InputError

VALID_DAYS = 30
FILES = ("kit.json", "ca.crt", "enrolment.key", "fetal-health-node.service", "compose.yaml", "README.txt")
MOST_BYTES = 2**20
UNREADABLE = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error),
)
_TEXTS = {
    "hospital": re.compile(r"[a-z0-9][a-z0-9-]{0,60}"),
    "federation": re.compile(r"[\w][\w .-]{0,100}"),
    "address": re.compile(r"[A-Za-z0-9.:\[\]-]{1,300}"),
    "identifier": re.compile(r"[\w-]{1,100}"),
    "expires": re.compile(r"[0-9TZ:.+-]{8,40}"),
}


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
    parts = _content(path)
    try:
        about = json.loads(parts["kit.json"])
        kit = Kit(**about, authority=parts["ca.crt"], key=load_private(parts["enrolment.key"]))
    except (ValueError, TypeError, RecursionError, UnsupportedAlgorithm):
        raise _no_kit(path) from None
    texts = ((getattr(kit, name), pattern) for name, pattern in _TEXTS.items())
    good = all(isinstance(text, str) and pattern.fullmatch(text) for text, pattern in texts)
    if not good or type(kit.number) is not int or not 0 <= kit.number < 1_000_000:
        raise _no_kit(path)
    return kit


def _no_kit(path: Path) -> InputError:
    return InputError(f"{path}: no kit; ask the federation's operator for `federate kit create`")


def _content(path: Path) -> dict[str, bytes]:
    """The files of a kit; a damaged, encrypted or swollen archive is no kit."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(archive.getinfo(name).file_size > MOST_BYTES for name in FILES):
                raise _no_kit(path)
            return {name: archive.read(name) for name in FILES}
    except UNREADABLE:
        raise _no_kit(path) from None


def unpack(path: Path, folder: Path) -> None:
    """Copy the systemd unit, the compose file and the instructions from a kit into a folder; raises as `read`."""
    parts = _content(path)
    for name in FILES[3:]:
        (folder / name).write_bytes(parts[name])
