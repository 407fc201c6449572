"""Acute bradycardia and very low rates, judged on the signal itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.reading.signal import carried, running_mean
from models.ctg.reading.spans import Span, merged, spans

Array = NDArray[np.float64]
BELOW_BPM, FAR_BELOW_BPM = 100.0, 40.0
LEAST_S = 180.0
VERY_LOW_BPM, VERY_LOW_S = 50.0, 10.0
TOLERANCE_S = 20.0
MEDIAN_OVER_S, MEDIAN_LEAST_S = 600.0, 120.0
_MEAN_S = 15


@dataclass(frozen=True)
class Bradycardia:
    """At least three minutes below 100 bpm, or at least 40 bpm below the level before.

    Attributes
    ----------
    span : Span
    median_bpm : float
        Of the rate inside.
    running : bool
        Not recovered at the last readable second.
    """

    span: Span
    median_bpm: float
    running: bool


def bradycardias(grid_bpm: Array, reference_bpm: Array) -> tuple[Bradycardia, ...]:
    """Find them, in order.

    Parameters
    ----------
    grid_bpm : ndarray, shape (seconds,)
        Heart rate with its gaps. A gap inside counts if the rate before and after it is low.
    reference_bpm : ndarray, shape (seconds,)
        The held level.
    """
    present = np.flatnonzero(np.isfinite(grid_bpm))
    if not len(present):
        return ()
    last = int(present[-1]) + 1
    rate = carried(running_mean(grid_bpm, _MEAN_S))[:last]
    with np.errstate(invalid="ignore"):
        low = rate < BELOW_BPM
        far = rate <= reference_bpm[:last] - FAR_BELOW_BPM
    episodes = []
    both = spans(low, tolerance_s=TOLERANCE_S, least_s=LEAST_S) + spans(far, tolerance_s=TOLERANCE_S, least_s=LEAST_S)
    for span in merged(both):
        inside = grid_bpm[int(span.start_s) : int(span.end_s)]
        # What is lost does not show a bradycardia: a minute of it must have been seen.
        if np.isfinite(inside).sum() >= LEAST_S / 3:
            episodes.append(Bradycardia(span, float(np.nanmedian(inside)), span.end_s >= last - TOLERANCE_S))
    return tuple(episodes)


def low_ten_minutes(grid_bpm: Array) -> list[Span]:
    """Moments at which the ten minutes before have a median rate below 100 bpm, with at least two minutes readable."""
    window = min(int(MEDIAN_OVER_S), len(grid_bpm))
    if not window:
        return []
    with np.errstate(invalid="ignore"):
        low = np.concatenate([[0], np.cumsum(grid_bpm < BELOW_BPM)])
    seen = np.concatenate([[0], np.cumsum(np.isfinite(grid_bpm))])
    low_in, seen_in = (count[window:] - count[:-window] for count in (low, seen))
    holds = (seen_in >= MEDIAN_LEAST_S) & (2 * low_in > seen_in)
    return [Span(span.start_s + window - 1, span.end_s + window - 1) for span in spans(holds)]


def very_low(grid_bpm: Array) -> list[Span]:
    """Stretches of at least ten seconds at 30 to 50 bpm."""
    with np.errstate(invalid="ignore"):
        return spans(grid_bpm < VERY_LOW_BPM, tolerance_s=3.0, least_s=VERY_LOW_S)
