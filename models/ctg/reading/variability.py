"""Variability as bandwidth around the held baseline, outside accelerations, decelerations and shallow dips.

FIGO and NICHD: the amplitude of the signal in one-minute segments. It is measured as the 2.5th to 97.5th centile range,
each half minute, and smoothed by a running median, so that one minute over the line does not end a stretch.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.reading.signal import running_mean
from models.ctg.reading.spans import Span, inside
from models.ctg.variability import bandwidth_by_minute, quiet_samples

Array = NDArray[np.float64]
STEP_S = 30
REDUCED_BPM, INCREASED_BPM, ABSENT_BPM = 5.0, 25.0, 2.0
REDUCED_MEDIAN_S, INCREASED_MEDIAN_S = 660, 420
_AROUND_EVENT_S = 10.0
_LEAST_IN_MEDIAN = 3
_FLAT_MEAN_S = 31


def bandwidths(samples_bpm: Array, rate_hz: float, reference_bpm: Array, events: Sequence[Span]) -> Array:
    """Bandwidth of the minute around each half minute, bpm, shape (steps,); NaN with under half a minute of signal."""
    around = [Span(s.start_s - _AROUND_EVENT_S, s.end_s + _AROUND_EVENT_S) for s in events]
    quiet = ~inside(around, len(reference_bpm))
    values = quiet_samples(samples_bpm, rate_hz, quiet)
    even = bandwidth_by_minute(values, rate_hz, reference_bpm)
    half = round(STEP_S * rate_hz)
    odd = bandwidth_by_minute(values[half:], rate_hz, reference_bpm[STEP_S:]) if len(reference_bpm) > STEP_S else even
    steps = -(-len(reference_bpm) // STEP_S)
    both = np.full(2 * len(even) + 2, np.nan)
    both[: 2 * len(even) : 2] = even
    both[1 : 2 * min(len(odd), len(even)) : 2] = odd[: len(even)]
    return both[:steps]


def running_centile(values: Array, window_s: int, centile: float = 50.0) -> Array:
    """Running centile of the measured half minutes, shape (steps,); NaN where fewer than three were measured."""
    if not len(values):
        return values
    half = window_s // STEP_S // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, constant_values=np.nan), 2 * half + 1)
    count = np.isfinite(windows).sum(axis=1)
    ordered = np.sort(windows, axis=1)
    place = np.maximum(count - 1, 0) * centile / 100.0
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(values))
    middle = ordered[rows, low] + (place - low) * (ordered[rows, high] - ordered[rows, low])
    return np.where(count >= _LEAST_IN_MEDIAN, middle, np.nan)


def by_second(steps: Array, seconds: int) -> Array:
    """Each half minute's value for its seconds, shape (seconds,)."""
    return np.repeat(steps, STEP_S)[:seconds]


def flat_seconds(interpolated_bpm: Array) -> NDArray[np.bool_]:
    """Where the signal about its own course of half a minute stays within 5 bpm for a minute; inside decelerations.

    The slower part of the variability is lost with the course, so less than 5 bpm is asked: 3.
    """
    rest = interpolated_bpm - running_mean(interpolated_bpm, _FLAT_MEAN_S)
    filled = np.nan_to_num(rest, nan=0.0)
    wide = ndimage.percentile_filter(filled, 97, size=60) - ndimage.percentile_filter(filled, 3, size=60)
    return np.asarray(np.isfinite(rest) & (wide < 0.6 * REDUCED_BPM))
