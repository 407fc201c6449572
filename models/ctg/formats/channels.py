"""The result of every reader: named, evenly sampled channels of one recorder."""

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import CtgRecording, recording
from models.errors import FormatError
from models.origin import UNKNOWN_ORIGIN, Origin

Array = NDArray[np.float64]
NAMES: dict[str, re.Pattern[str]] = {
    "fhr1": re.compile(r"^(fhr[ _]?1?|fetal heart rate|fhr1?_bpm|fhr1?\s*\(bpm\))$", re.IGNORECASE),
    "fhr2": re.compile(r"^(fhr[ _]?2|fhr2_bpm|fhr2\s*\(bpm\))$", re.IGNORECASE),
    "toco": re.compile(r"^(uc|toco|tocogram|ua|uc_mmhg)$", re.IGNORECASE),
    "mhr": re.compile(r"^(mhr|maternal heart rate|mhr_bpm)$", re.IGNORECASE),
}


def channel_of(label: str) -> str | None:
    """The canonical name of the channel that a label in a file stands for, or None."""
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
    origin : Origin
        When the recording began, and of whom it is, as far as the file says.
    remarks : tuple of str
        What of the file was not used, and how it was understood.
    """

    heart: dict[int, Array]
    sampling_rate_hz: float
    source: str
    toco: Array | None = None
    mhr: Array | None = None
    stage: str = "unknown"
    origin: Origin = UNKNOWN_ORIGIN
    remarks: tuple[str, ...] = ()

    def noting(self, remark: str) -> "Channels":
        """The same with one more remark."""
        return replace(self, remarks=(*self.remarks, remark))

    def recordings(self) -> tuple[CtgRecording, ...]:
        """One recording for each channel with a heart rate; the first channel if none has one."""
        if not self.heart:
            raise FormatError(f"{self.source}: no channel FHR")
        recordings = [
            replace(
                recording(heart, self.toco, self.sampling_rate_hz, self.source, self.stage, self.mhr, number),
                origin=self.origin,
                remarks=self.remarks,
            )
            for number, heart in sorted(self.heart.items())
        ]
        with_signal = tuple(each for each in recordings if np.isfinite(each.fhr_bpm).any())
        return with_signal or (recordings[0],)
