"""The heart rate as a reader sees it: one value a second, without artefacts, very low rates kept."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.baseline import interpolate_gaps, to_grid
from models.ctg.cleaning import clean, stuck
from models.ctg.recording import LOWEST_MEASURED_BPM, CtgRecording

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
# A display that stands still below this rate may show a bradycardia without variability. It is never hidden.
LOW_BPM = 100.0


def readable(ctg: CtgRecording, cleaned_bpm: Array) -> Array:
    """Samples that a reader would accept, shape (n,); lost or removed samples are NaN.

    Parameters
    ----------
    cleaned_bpm : ndarray, shape (n,)
        What `models.ctg.cleaning.clean` left of the rates from 50 bpm on. Used where there is no lower rate.
    """
    heart = ctg.fhr_bpm
    with np.errstate(invalid="ignore"):
        low = heart < LOW_BPM
        lowest = heart < LOWEST_MEASURED_BPM
    kept = clean(ctg).fhr_bpm if lowest.any() else cleaned_bpm
    removed = low & np.isnan(kept)
    if removed.any():
        kept = np.where(removed & stuck(heart, ctg.sampling_rate_hz), heart, kept)
    return kept


def by_second(samples_bpm: Array, sampling_rate_hz: float) -> tuple[Array, Array]:
    """Mean of each second with its gaps, and the same with gaps of at most 15 s interpolated; shape (seconds,)."""
    grid = to_grid(samples_bpm, sampling_rate_hz)
    return grid, interpolate_gaps(grid)


def carried(values: Array) -> Array:
    """Fill each gap with the last value before it; a gap at the start takes the first value after it."""
    present = np.flatnonzero(np.isfinite(values))
    if not len(present):
        return values.copy()
    last = np.maximum(np.searchsorted(present, np.arange(len(values)), side="right") - 1, 0)
    return values[present[last]]


def running_mean(values: Array, seconds: int) -> Array:
    """Centred mean over the present values, shape (n,); lost values stay lost."""
    present = np.isfinite(values)
    total = ndimage.uniform_filter1d(np.where(present, values, 0.0), seconds)
    count = ndimage.uniform_filter1d(present.astype(np.float64), seconds)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(present, total / count, np.nan)
