"""What every reader gives: named, evenly sampled channels of one recorder."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import CtgRecording, recording
from models.errors import FormatError

Array = NDArray[np.float64]
NAMES: dict[str, re.Pattern[str]] = {
    "fhr1": re.compile(r"^(fhr[ _]?1?|fetal heart rate|fhr1?_bpm|fhr1?\s*\(bpm\))$", re.IGNORECASE),
    "fhr2": re.compile(r"^(fhr[ _]?2|fhr2_bpm|fhr2\s*\(bpm\))$", re.IGNORECASE),
    "toco": re.compile(r"^(uc|toco|tocogram|ua|uc_mmhg)$", re.IGNORECASE),
    "mhr": re.compile(r"^(mhr|maternal heart rate|mhr_bpm)$", re.IGNORECASE),
    "time": re.compile(r"^(time|t|seconds|time_s|time\s*\(s\)|time\s*\[s\])$", re.IGNORECASE),
}


def channel_of(label: str) -> str | None:
    """The canonical channel that a label in a file means, or None."""
    return next((name for name, pattern in NAMES.items() if pattern.match(label.strip())), None)


@dataclass(frozen=True)
class Channels:
    """The content of one file.

    Attributes
    ----------
    heart : dict of int to ndarray, shape (n,)
        Fetal heart rate by channel, 1 or 2.
    sampling_rate_hz : float
    source : str
    toco, mhr : ndarray, shape (n,), or None
    stage : str
    """

    heart: dict[int, Array]
    sampling_rate_hz: float
    source: str
    toco: Array | None = None
    mhr: Array | None = None
    stage: str = "unknown"

    def recordings(self) -> tuple[CtgRecording, ...]:
        """One recording a channel that holds any heart rate; the first channel where none does."""
        if not self.heart:
            raise FormatError(f"{self.source}: no channel FHR")
        made = [
            recording(heart, self.toco, self.sampling_rate_hz, self.source, self.stage, self.mhr, number)
            for number, heart in sorted(self.heart.items())
        ]
        live = tuple(one for one in made if np.isfinite(one.fhr_bpm).any())
        return live or (made[0],)
