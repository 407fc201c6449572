"""FHRMA: real traces with the results of three automatic methods, and with labels of false signal.

Boudet S et al. SoftwareX 2020;11:100428; Biosensors 2022;12(9):691. GPL-3.0: for evaluation only. No file of it
is shipped and no weight is trained on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats import fhrma as reader
from models.ctg.formats.channels import Channels
from models.errors import DataSetError

METHODS = {"A": "Ayres", "MD": "Maeda", "W": "Wrobel"}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What one stored method found on one trace.

    Attributes
    ----------
    baseline_bpm : ndarray, shape (n,)
        At 4 Hz.
    accelerations, decelerations : ndarray, shape (k, 2)
        Start and end, s.
    """

    baseline_bpm: Array
    accelerations: Array
    decelerations: Array


def find(folder: Path) -> Path | None:
    """The unpacked folder that holds ``FHRMAdataset`` or ``FSdataset``, or None."""
    for name in ("FHRMAdataset", "FSdataset"):
        for path in sorted(folder.rglob(name)):
            if path.is_dir():
                return path.parent
    return None


def _structs(path: Path, variable: str) -> list[Any]:
    from scipy.io import loadmat

    try:
        return list(np.atleast_1d(loadmat(path, squeeze_me=True, struct_as_record=False)[variable]))
    except (OSError, KeyError, ValueError) as error:
        raise DataSetError(f"{path.name}: {error}") from None


def morphology(folder: Path) -> Iterator[tuple[str, Channels, dict[str, Reading]]]:
    """The 156 traces with the readings of the three methods, by name."""
    root = folder / "FHRMAdataset"
    stored: dict[str, dict[str, Reading]] = {}
    for code, method in METHODS.items():
        for entry in _structs(root / "analyses" / f"{code}_std.mat", "data"):
            events = [
                60.0 * np.reshape(np.asarray(e, dtype=float), (-1, 2))
                for e in (entry.accelerations, entry.decelerations)
            ]
            stored.setdefault(str(entry.filename), {})[method] = Reading(
                np.asarray(entry.baseline, dtype=float), *events
            )
    for path in sorted(root.rglob("*.fhr")):
        yield path.stem, reader.read(path.read_bytes()), stored.get(path.name, {})


def false_signal(folder: Path) -> Iterator[tuple[str, Channels, Array, Array]]:
    """Annotated recordings: name, channels, true and false stretches of the heart rate (4 Hz samples)."""
    root = folder / "FSdataset"
    paths = {path.name: path for path in root.rglob("*.fhrm")}
    for entry in _structs(root / "expertAnnotations.mat", "DB"):
        true, false = (np.reshape(np.asarray(e, dtype=float), (-1, 2)) for e in (entry.TS_FHR, entry.FS_FHR))
        if (len(true) or len(false)) and (path := paths.get(str(entry.filename))):
            yield path.stem, reader.read_mhr(path.read_bytes()), true, false
