"""Baseline of the fetal heart rate: a running, stability-weighted median of the undisturbed signal.

FIGO (Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24): the mean level of the most horizontal and
least oscillatory segments over ten minutes. Each stretch of five seconds therefore has a larger weight the flatter the
signal is. There are three passes; in each, samples far above or below the level of the previous pass hardly count.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
WINDOW_S = 600.0
MAX_GAP_S = 15.0
STEP_S = 5
ABOVE_BPM, BELOW_BPM = 10.0, 10.0
STILL_BPM = 3.0
_EVERY = 3  # steps between two windows
_MIN_IN_WINDOW = 6


def to_grid(values: Array, sampling_rate_hz: float) -> Array:
    """Mean of each whole second, shape (seconds,); a second without any sample is NaN."""
    seconds = int(len(values) / sampling_rate_hz)
    index = np.minimum((np.arange(len(values)) / sampling_rate_hz).astype(int), max(seconds - 1, 0))
    present = np.isfinite(values)
    count = np.bincount(index[present], minlength=seconds)[:seconds]
    total = np.bincount(index[present], weights=values[present], minlength=seconds)[:seconds]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)


def interpolate_gaps(values: Array, max_gap_s: float = MAX_GAP_S) -> Array:
    """Interpolate gaps of at most `max_gap_s` on the one-second grid. Longer gaps, and gaps at the ends, stay NaN."""
    present = np.isfinite(values)
    if not present.any():
        return values.copy()
    filled = np.interp(np.arange(len(values)), np.flatnonzero(present), values[present])
    labels, count = ndimage.label(~present)
    length = np.bincount(labels.ravel(), minlength=count + 1)
    long = (labels > 0) & (length[labels] > max_gap_s)
    edge = (labels > 0) & ((labels == labels[0]) | (labels == labels[-1]))
    return np.where(long | edge, np.nan, filled)


def baseline(grid_bpm: Array, least_s: float = _MIN_IN_WINDOW * STEP_S) -> Array:
    """Baseline on the one-second grid, bpm, shape (seconds,).

    Parameters
    ----------
    grid_bpm : ndarray, shape (seconds,)
        Heart rate, gaps as NaN.
    least_s : float
        Signal that a window needs, s. The level is interpolated over windows with less, and held at the ends.
    """
    if not np.isfinite(grid_bpm).any():
        return np.full_like(grid_bpm, np.nan)
    coarse = _coarse(grid_bpm)
    slope = np.abs(_central_difference(coarse))
    weight = np.where(np.isfinite(coarse), 1.0 / (1.0 + (np.nan_to_num(slope, nan=STILL_BPM) / STILL_BPM) ** 2), 0.0)
    level = _RunningMedian(coarse, 2.0 * WINDOW_S, least_s).of(weight)
    ten_minutes = _RunningMedian(coarse, WINDOW_S, least_s)
    for _ in range(3):
        with np.errstate(invalid="ignore"):
            near = (coarse < level + ABOVE_BPM) & (coarse > level - BELOW_BPM)
        level = ten_minutes.of(np.where(near, weight, 0.02 * weight))
    middles = (np.arange(len(level)) + 0.5) * STEP_S - 0.5
    fine = np.interp(np.arange(len(grid_bpm)), middles, level)
    return np.asarray(ndimage.gaussian_filter1d(fine, 40.0, mode="nearest"))


def _coarse(grid_bpm: Array) -> Array:
    """Median of each stretch of five seconds, including the last, shorter one."""
    blocks = -(-len(grid_bpm) // STEP_S)
    padded = np.full(blocks * STEP_S, np.nan)
    padded[: len(grid_bpm)] = grid_bpm
    ordered = np.sort(padded.reshape(blocks, STEP_S), axis=1)  # NaN last
    count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(blocks)
    low, high = ordered[rows, np.maximum((count - 1) // 2, 0)], ordered[rows, np.minimum(count // 2, STEP_S - 1)]
    return np.where(count > 0, 0.5 * (low + high), np.nan)


def _central_difference(values: Array) -> Array:
    change = np.full(len(values), np.nan)
    change[2:-2] = 0.5 * (values[4:] - values[:-4])
    return change


class _RunningMedian:
    """Weighted running median of the coarse signal, every 15 s, then interpolated. One sort serves all weights."""

    def __init__(self, values: Array, window_s: float, least_s: float) -> None:
        self._values = values
        self._half = int(window_s / STEP_S / 2)
        windows = self._windows(values, np.nan)
        self._order = np.argsort(windows, axis=1)  # NaN last, with weight 0
        self._ordered = np.take_along_axis(windows, self._order, axis=1)
        self._enough = np.isfinite(windows).sum(axis=1) >= least_s / STEP_S

    def _windows(self, values: Array, outside: float) -> Array:
        padded = np.pad(values, self._half, constant_values=outside)
        return np.lib.stride_tricks.sliding_window_view(padded, 2 * self._half + 1)[::_EVERY]

    def of(self, weight: Array) -> Array:
        """The median under these weights, shape (blocks,)."""
        running = np.cumsum(np.take_along_axis(self._windows(weight, 0.0), self._order, axis=1), axis=1)
        position = np.argmax(running >= 0.5 * running[:, -1:], axis=1)
        median = self._ordered[np.arange(len(position)), position]
        usable = np.isfinite(median) & self._enough
        blocks = np.arange(len(self._values))
        if not usable.any():
            return np.full(len(blocks), float(np.nanmedian(self._values)))
        return np.asarray(np.interp(blocks, blocks[::_EVERY][usable], median[usable]))
