"""The canonical cardiotocogram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import RangeError

MIN_FHR_BPM = 50.0
MAX_FHR_BPM = 240.0
MAX_DURATION_S = 24 * 3600.0


@dataclass(frozen=True)
class CtgRecording:
    """One fetal heart-rate channel with its tocogram, evenly sampled.

    Attributes
    ----------
    fhr_bpm : ndarray of float64, shape (n,)
        Fetal heart rate; lost samples are NaN and are never filled for display.
    toco : ndarray of float64, shape (n,), or None
        Uterine activity in the recorder's own (uncalibrated) units; lost samples are NaN.
    sampling_rate_hz : float
    source : str
        Format it came from.
    stage : str
        ``"labour"``, ``"antepartum"`` or ``"unknown"``, as far as the file tells.
    """

    fhr_bpm: NDArray[np.float64]
    toco: NDArray[np.float64] | None
    sampling_rate_hz: float
    source: str
    stage: str = "unknown"

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return len(self.fhr_bpm) / self.sampling_rate_hz

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Time of each sample from the start, s."""
        return np.arange(len(self.fhr_bpm)) / self.sampling_rate_hz


def recording(
    fhr_bpm: NDArray[np.float64],
    toco: NDArray[np.float64] | None,
    sampling_rate_hz: float,
    source: str,
    stage: str = "unknown",
) -> CtgRecording:
    """Build a recording: zeros, non-finite and impossible heart rates become lost samples (NaN).

    Raises
    ------
    RangeError
        The rate is outside 0.2 to 1000 Hz, or the recording is empty or longer than a day.
    """
    if not 0.2 <= sampling_rate_hz <= 1000:
        raise RangeError(f"sampling rate {sampling_rate_hz:g} Hz is outside 0.2 to 1000 Hz")
    if len(fhr_bpm) == 0:
        raise RangeError("the recording holds no samples")
    if len(fhr_bpm) / sampling_rate_hz > MAX_DURATION_S:
        raise RangeError("the recording is longer than 24 hours; send the part to be assessed")
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(fhr_bpm) & (fhr_bpm >= MIN_FHR_BPM) & (fhr_bpm <= MAX_FHR_BPM)
    heart = np.where(kept, fhr_bpm, np.nan)
    activity = None
    if toco is not None and np.any(np.isfinite(toco) & (toco != 0)):
        activity = np.where(np.isfinite(toco), toco, np.nan)
    return CtgRecording(heart, activity, float(sampling_rate_hz), source, stage)
