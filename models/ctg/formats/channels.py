"""The result of every reader: named, evenly sampled channels of one recorder."""

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import MAX_FHR_BPM, CtgRecording, recording, without_lost
from models.errors import FormatError
from models.origin import UNKNOWN_ORIGIN, Origin

Array = NDArray[np.float64]
LEAST_SHARE = 0.01
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
        """One recording for each channel that holds values; the first channel if none does.

        A channel whose values are no heart rate stays: another one is never taken silently in its place.
        """
        if not self.heart:
            raise FormatError(f"{self.source}: no channel FHR")
        recordings = [
            replace(
                recording(heart, self.toco, self.sampling_rate_hz, self.source, self.stage, self.mhr, number),
                origin=self.origin,
                remarks=(*self.remarks, *_beyond(heart, number if len(self.heart) > 1 else None)),
            )
            for number, heart in sorted(self.heart.items())
        ]
        holding = tuple(each for each in recordings if without_lost(self.heart[each.channel]).size)
        return holding or (recordings[0],)


def _beyond(heart: Array, number: int | None) -> tuple[str, ...]:
    """A remark where values above the highest heart rate are taken as lost."""
    values = without_lost(heart)
    share = float(np.mean(values > MAX_FHR_BPM)) if values.size else 0.0
    if share < LEAST_SHARE:
        return ()
    which = "the fetal heart rate" if number is None else f"heart-rate channel {number}"
    return (f"{100 * share:.0f} % of the values of {which} are above {MAX_FHR_BPM:.0f} bpm and are taken as lost",)
