"""Baseline of the fetal heart rate: a running median of the undisturbed signal, refined twice."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
WINDOW_S = 600.0
MAX_GAP_S = 15.0


def to_grid(values: Array, sampling_rate_hz: float) -> Array:
    """Mean of each whole second, shape (seconds,); a second without any sample is NaN."""
    seconds = int(len(values) / sampling_rate_hz)
    index = np.minimum((np.arange(len(values)) / sampling_rate_hz).astype(int), max(seconds - 1, 0))
    present = np.isfinite(values)
    count = np.bincount(index[present], minlength=seconds)[:seconds]
    total = np.bincount(index[present], weights=values[present], minlength=seconds)[:seconds]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)


def bridge(values: Array, max_gap_s: float = MAX_GAP_S) -> Array:
    """Interpolate gaps of at most `max_gap_s` on the one-second grid; longer ones stay NaN."""
    present = np.isfinite(values)
    if not present.any():
        return values.copy()
    filled = np.interp(np.arange(len(values)), np.flatnonzero(present), values[present])
    labels, count = ndimage.label(~present)
    length = np.bincount(labels.ravel(), minlength=count + 1)
    long = (labels > 0) & (length[labels] > max_gap_s)
    edge = (labels > 0) & ((labels == labels[0]) | (labels == labels[-1]))
    return np.where(long | edge, np.nan, filled)


def baseline(grid_bpm: Array) -> Array:
    """Baseline on the one-second grid, bpm, shape (seconds,).

    Ten-minute running median; then twice again after leaving out what lies more than 15 bpm above
    or 12 bpm below it, so that accelerations and decelerations do not pull it; then smoothed.
    """
    if not np.isfinite(grid_bpm).any():
        return np.full_like(grid_bpm, np.nan)
    kept = grid_bpm.copy()
    level = _running_median(kept)
    for _ in range(2):
        kept = np.where((grid_bpm > level + 15.0) | (grid_bpm < level - 12.0), np.nan, grid_bpm)
        level = _running_median(kept if np.isfinite(kept).sum() > 60 else grid_bpm)
    return np.asarray(ndimage.uniform_filter1d(level, size=121, mode="nearest"))


def _running_median(values: Array) -> Array:
    """Running median over ten minutes, evaluated each 15 s and interpolated; NaN are ignored."""
    half = int(WINDOW_S / 2)
    centres = np.arange(0, len(values), 15)
    medians = np.full(len(centres), np.nan)
    for position, centre in enumerate(centres):
        window = values[max(0, centre - half) : centre + half]
        window = window[np.isfinite(window)]
        if len(window) >= 30:
            medians[position] = np.median(window)
    known = np.isfinite(medians)
    if not known.any():
        return np.full(len(values), float(np.nanmedian(values)))
    return np.asarray(np.interp(np.arange(len(values)), centres[known], medians[known]))
