"""The canonical cardiotocogram."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import FormatError, RangeError
from models.origin import UNKNOWN_ORIGIN, Origin

Array = NDArray[np.float64]
# Rates of 30 to 50 bpm are kept: a dying heart, the mother's pulse or a halved rate. The models measure from 50 on.
MIN_FHR_BPM = 30.0
LOWEST_MEASURED_BPM = 50.0
MAX_FHR_BPM = 240.0
# Values that recorders write for a lost sample, beside 0 and negative ones.
LOST_CODES = (255.0, 511.0, 1023.0, 65535.0)
MAX_DURATION_S = 24 * 3600.0
MIN_RATE_HZ, MAX_RATE_HZ = 0.5, 1000.0


@dataclass(frozen=True)
class CtgRecording:
    """One fetal heart-rate channel with its tocogram, evenly sampled.

    Attributes
    ----------
    fhr_bpm : ndarray of float64, shape (n,)
        Fetal heart rate. Lost samples are NaN and are never filled for display.
    toco : ndarray of float64, shape (n,), or None
        Uterine activity in the recorder's own (uncalibrated) units; lost samples are NaN.
    sampling_rate_hz : float
    source : str
        Format it came from.
    stage : str
        ``"labour"``, ``"antepartum"`` or ``"unknown"``, as stated in the file.
    mhr_bpm : ndarray of float64, shape (n,), or None
        Maternal heart rate, if it was recorded.
    channel : int
        1 or 2: the fetal heart-rate channel of the file (twins have two).
    origin : Origin
        When it began and of whom it is, as far as the file says; held in memory only.
    remarks : tuple of str
        What of the file was not used, and how it was understood.
    """

    fhr_bpm: Array
    toco: Array | None
    sampling_rate_hz: float
    source: str
    stage: str = "unknown"
    mhr_bpm: Array | None = None
    channel: int = 1
    origin: Origin = UNKNOWN_ORIGIN
    remarks: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return len(self.fhr_bpm) / self.sampling_rate_hz

    @property
    def time_s(self) -> Array:
        """Time of each sample from the start, s."""
        return np.arange(len(self.fhr_bpm)) / self.sampling_rate_hz

    def part(self, start_s: float, end_s: float) -> "CtgRecording":
        """The recording from `start_s` to `end_s`, as far as it reaches."""
        inside = slice(max(0, round(start_s * self.sampling_rate_hz)), max(0, round(end_s * self.sampling_rate_hz)))
        toco = self.toco[inside] if self.toco is not None else None
        mhr = self.mhr_bpm[inside] if self.mhr_bpm is not None else None
        return replace(self, fhr_bpm=self.fhr_bpm[inside], toco=toco, mhr_bpm=mhr)


def recording(
    fhr_bpm: Array,
    toco: Array | None,
    sampling_rate_hz: float,
    source: str,
    stage: str = "unknown",
    mhr_bpm: Array | None = None,
    channel: int = 1,
) -> CtgRecording:
    """Build a recording: zeros, non-finite and impossible heart rates become lost samples (NaN).

    Raises
    ------
    RangeError
        The rate is outside 0.5 to 1000 Hz, or the recording is empty or longer than a day.
    FormatError
        The values are pulse intervals in milliseconds, or heart rate and tocogram are exchanged.
    """
    if not MIN_RATE_HZ <= sampling_rate_hz <= MAX_RATE_HZ:
        raise RangeError(f"sampling rate {sampling_rate_hz:g} Hz is outside {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz")
    if len(fhr_bpm) == 0:
        raise RangeError("the recording has no samples")
    if len(fhr_bpm) / sampling_rate_hz > MAX_DURATION_S:
        raise RangeError("the recording is longer than 24 hours; send only the part to be assessed")
    _plausible(fhr_bpm, toco)
    activity = None
    if toco is not None and np.any(np.isfinite(toco) & (toco != 0)):
        activity = np.where(np.isfinite(toco), toco, np.nan)
    mother = None
    if mhr_bpm is not None and np.isfinite(pulse := _heart_rate(mhr_bpm, MIN_FHR_BPM)).any():
        mother = pulse
    return CtgRecording(
        fhr_bpm=_heart_rate(fhr_bpm, MIN_FHR_BPM),
        toco=activity,
        sampling_rate_hz=float(sampling_rate_hz),
        source=source,
        stage=stage,
        mhr_bpm=mother,
        channel=channel,
    )


def without_lost(heart: Array) -> Array:
    """What a channel holds beside the codes for a lost sample."""
    with np.errstate(invalid="ignore"):
        return np.asarray(heart[np.isfinite(heart) & (heart > 0) & ~np.isin(heart, LOST_CODES)])


def _heart_rate(values: Array, low: float) -> Array:
    with np.errstate(invalid="ignore"):
        possible = np.isfinite(values) & (values >= low) & (values <= MAX_FHR_BPM)
    return np.where(possible, values, np.nan)


def _plausible(fhr_bpm: Array, toco: Array | None) -> None:
    """Refuse values that are not a heart rate in bpm but look like a known mistake."""
    present = without_lost(fhr_bpm)
    if len(present) and 250 < np.median(present) < 1500:
        raise FormatError(
            f"the heart rate has a median of {np.median(present):.0f}: these look like pulse intervals in "
            "milliseconds; send beats per minute"
        )
    if toco is None:
        return
    activity = toco[np.isfinite(toco) & (toco > 0)]
    if len(activity) and len(present) and _share_of_heart(activity) > 0.7 and _share_of_heart(present) < 0.2:
        raise FormatError("the channels look exchanged: the tocogram contains a heart rate and the FHR does not")


def _share_of_heart(values: Array) -> float:
    return float(np.mean((values >= 100) & (values <= 180)))
