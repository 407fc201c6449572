"""Contractions from an uncalibrated tocogram, and how frequent they are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.events import Event

Array = NDArray[np.float64]
TACHYSYSTOLE_PER_10_MIN = 5.0


def find_contractions(toco_grid: Array) -> list[Event]:
    """Contractions on the one-second grid.

    A contraction is a peak of the smoothed signal. Its prominence is at least a fifth of the signal's 5th to 95th
    centile range, and at least 5 units. Its width at half height is 20 s to 4 min, and peaks are at least 60 s apart.
    Onset and end are where the signal rises above and falls below 15 % of the prominence. The resting tone is not
    judged, because an external tocogram has no zero.
    """
    present = np.isfinite(toco_grid)
    if present.sum() < 120:
        return []
    filled = np.interp(np.arange(len(toco_grid)), np.flatnonzero(present), toco_grid[present])
    smooth = ndimage.gaussian_filter1d(filled, 8.0)
    spread = float(np.subtract(*np.percentile(smooth, [95, 5])))
    from scipy import signal  # heavy, and only a trace with a tocogram needs it

    peaks, traits = signal.find_peaks(
        smooth, prominence=max(0.2 * spread, 5.0), width=(20, 240), distance=60, rel_height=0.5
    )
    if not len(peaks):
        return []
    edges = signal.peak_widths(
        smooth, peaks, 0.85, (traits["prominences"], traits["left_bases"], traits["right_bases"])
    )
    events = []
    for position, peak in enumerate(peaks):
        inner = slice(int(traits["left_ips"][position]), int(traits["right_ips"][position]) + 1)
        if present[inner].mean() >= 0.5:
            start, end = max(edges[2][position], peak - 90.0), min(edges[3][position], peak + 120.0)
            events.append(Event(float(start), float(end), float(traits["prominences"][position]), float(peak)))
    return events


def per_ten_minutes(events: Sequence[Event], start_s: float, end_s: float) -> float:
    """Contractions per ten minutes: those whose acme lies in the stretch."""
    inside = sum(start_s <= event.peak_s < end_s for event in events)
    return 600.0 * inside / (end_s - start_s)


def tachysystole(events: Sequence[Event], duration_s: float) -> list[tuple[float, float]]:
    """Stretches of 30 min with more than five contractions in ten minutes on average, merged.

    Numbers of FIGO 2015, quoted from memory and not checked against the paper (see `models.ctg.guidelines`).
    """
    stretches: list[tuple[float, float]] = []
    for start in np.arange(0.0, duration_s - 1800.0 + 1.0, 60.0):
        if per_ten_minutes(events, start, start + 1800.0) > TACHYSYSTOLE_PER_10_MIN:
            if stretches and start <= stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], start + 1800.0)
            else:
                stretches.append((start, start + 1800.0))
    return stretches
