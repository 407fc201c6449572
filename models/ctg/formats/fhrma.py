"""The .fhr and .fhrm files of the FHRMA toolbox (Boudet S et al. SoftwareX 2020;11:100428), 4 Hz."""

from datetime import UTC, datetime

import numpy as np

from models.ctg.formats.channels import Channels
from models.errors import FormatError
from models.origin import UNKNOWN_ORIGIN, Origin

RATE_HZ = 4.0
_FHR = np.dtype([("fhr1", "<u2"), ("fhr2", "<u2"), ("toco", "u1"), ("quality", "u1")])
_FHRM = np.dtype([("fhr1", "<u2"), ("fhr2", "<u2"), ("mhr", "<u2"), ("toco", "u1"), ("flags", "u1")])


def read(content: bytes) -> Channels:
    """Read a .fhr file: two heart rates in units of 0.25 bpm, the tocogram in units of 0.5."""
    return _read(content, _FHR, ".fhr")


def read_mhr(content: bytes) -> Channels:
    """Read a .fhrm file: like .fhr, with the maternal heart rate."""
    return _read(content, _FHRM, ".fhrm")


def _read(content: bytes, kind: np.dtype[np.void], name: str) -> Channels:
    started, body = int.from_bytes(content[:4], "little"), content[4:]
    if len(body) < kind.itemsize or len(body) % kind.itemsize:
        raise FormatError(f"{name}: {len(content)} bytes are not a whole number of {kind.itemsize}-byte samples")
    values = np.frombuffer(body, dtype=kind)
    heart = {1: values["fhr1"] / 4.0, 2: values["fhr2"] / 4.0}
    mhr = values["mhr"] / 4.0 if "mhr" in (kind.names or ()) else None
    origin = Origin(datetime.fromtimestamp(started, UTC)) if started else UNKNOWN_ORIGIN
    return Channels(heart, RATE_HZ, f"FHRMA {name}", values["toco"] / 2.0, mhr, origin=origin)
