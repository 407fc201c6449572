"""The level of the heart rate, held through falls.

`models.ctg.baseline` follows the trace from both sides, so a fall at the end pulls it down within minutes. Here the
*low stretches* are found first: the rate (median of 15 s) is more than 15 bpm below the level of 5 to 20 minutes
earlier, for at least two minutes, and has not come back to within 10 bpm of it for half a minute. The reference level
is estimated without them. A stretch that after ten minutes is at 110 bpm or more and less than 30 bpm lower is a mere
change of baseline.
"""

import numpy as np
from numpy.typing import NDArray

from models.ctg.baseline import baseline
from models.ctg.reading.signal import carried
from models.ctg.reading.spans import Span, inside

Array = NDArray[np.float64]
STEP_S = 5
FALL_BPM, RETURNED_BPM = 15.0, 10.0
RETURNED_S = 30
MIN_FALL_S = 120.0
NEW_BASELINE_S = 600.0
# A new level that is no longer called a fall.
ACCEPTED_BPM, ACCEPTED_DROP_BPM = 110.0, 30.0
# NICHD: at least two minutes of a ten-minute window must be baseline. Otherwise the level before is held.
LEAST_S = 120.0
_BEFORE_S = (1200, 300)
_LEVEL_STEP_S = 30


def held_level(grid_bpm: Array, first: Array | None = None) -> tuple[Array, tuple[Span, ...]]:
    """Estimate the level outside low stretches.

    Parameters
    ----------
    grid_bpm : ndarray, shape (seconds,)
        Heart rate, gaps as NaN.
    first : ndarray, shape (seconds,), or None
        `models.ctg.baseline.baseline` of the same signal, where it is known.

    Returns
    -------
    level_bpm : ndarray, shape (seconds,)
    low : tuple of Span
        The low stretches. One that has not recovered ends with the last readable second.
    """
    if not np.isfinite(grid_bpm).any():
        return grid_bpm.copy(), ()
    level = baseline(grid_bpm) if first is None else first
    smooth = _by_step(grid_bpm)
    stretches: tuple[Span, ...] = ()
    for _ in range(2):
        stretches = tuple(_low_stretches(smooth, _before(level)))
        if not stretches:
            break
        level = _without(grid_bpm, stretches)
    return level, stretches


def _without(grid_bpm: Array, low: tuple[Span, ...]) -> Array:
    """The level estimated from what is left outside the low stretches."""
    rest = np.where(inside(low, len(grid_bpm)), np.nan, grid_bpm)
    return baseline(rest, LEAST_S) if np.isfinite(rest).any() else baseline(grid_bpm)


def _by_step(grid_bpm: Array) -> Array:
    """Median of 15 s for each 5 s, shape (steps,); lost steps are NaN."""
    steps = -(-len(grid_bpm) // STEP_S)
    padded = np.full((steps + 2) * STEP_S, np.nan)
    padded[STEP_S : STEP_S + len(grid_bpm)] = grid_bpm
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 3 * STEP_S)[::STEP_S][:steps], axis=1)
    count = np.isfinite(windows).sum(axis=1)
    rows = np.arange(steps)
    middle = 0.5 * (windows[rows, np.maximum((count - 1) // 2, 0)] + windows[rows, np.minimum(count // 2, 14)])
    return np.where(count >= STEP_S, middle, np.nan)


def _before(level: Array) -> Array:
    """Median level of 5 to 20 minutes earlier, for each 5 s; at the start, of what there is."""
    coarse = level[::_LEVEL_STEP_S]
    far, near = (seconds // _LEVEL_STEP_S for seconds in _BEFORE_S)
    length = far - near + 1
    earliest = np.empty(len(coarse))
    for k in range(min(far, len(coarse))):
        earliest[k] = _middle(coarse[: max(k - near, min(4, k)) + 1])
    if len(coarse) > far:
        windows = np.lib.stride_tricks.sliding_window_view(coarse, length)[: len(coarse) - far]
        earliest[far:] = np.median(windows, axis=1)
    steps = -(-len(level) // STEP_S)
    return np.repeat(earliest, _LEVEL_STEP_S // STEP_S)[:steps]


def _middle(values: Array) -> float:
    ordered = np.sort(values)
    return float(0.5 * (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]))


def _low_stretches(smooth: Array, before: Array) -> list[Span]:
    rate, before = carried(smooth), before.copy()
    stretches: list[Span] = []
    last = int(np.flatnonzero(np.isfinite(smooth))[-1]) + 1
    k = 0
    while k < last:
        if not rate[k] < before[k] - FALL_BPM:
            k += 1
            continue
        end = _recovery(rate[k:last], before[k] - RETURNED_BPM)
        end = last if end is None else k + end
        settled = _settled(rate[k:end])
        if settled is not None and settled >= ACCEPTED_BPM and before[k] - settled < ACCEPTED_DROP_BPM:
            # A change of baseline. What follows is compared with the new level.
            until = k + _BEFORE_S[0] // STEP_S
            before[k:until] = np.minimum(before[k:until], settled)
        elif (end - k) * STEP_S >= MIN_FALL_S:
            stretches.append(Span(float(k * STEP_S), float(end * STEP_S)))
            k = end
        else:
            k = max(end, k + 1)
    return stretches


def _recovery(rate: Array, level: float) -> int | None:
    """Steps until the rate is back at this level for half a minute; None if it is not."""
    need = RETURNED_S // STEP_S
    if len(rate) < need:
        return None
    held = np.convolve(rate >= level, np.ones(need), mode="valid") >= need
    recovered = np.flatnonzero(held)
    return int(recovered[0]) if len(recovered) else None


def _settled(rate: Array) -> float | None:
    """Median of the fifth to the tenth minute of a fall that lasts ten minutes; None for a shorter one."""
    steps = int(NEW_BASELINE_S) // STEP_S
    return float(np.median(rate[steps // 2 : steps])) if len(rate) >= steps else None
