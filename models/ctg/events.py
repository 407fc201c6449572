"""Accelerations, decelerations and contractions on the one-second grid.

Accelerations and decelerations: more than 15 bpm from the baseline for more than 15 s (FIGO consensus,
Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24). An event is prolonged after 3 min.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

Array = NDArray[np.float64]
AMPLITUDE_BPM = 15.0
MIN_EVENT_S = 15
PROLONGED_S = 180


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes
    ----------
    start_s, end_s : float
        From the start of the recording.
    peak : float
        Largest distance from the baseline, bpm; for a contraction its height above the tone, toco units.
    """

    start_s: float
    end_s: float
    peak: float

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.end_s - self.start_s


def _excursions(distance: Array) -> list[Event]:
    """Runs where `distance` exceeds 0 that stay above the amplitude for more than 15 s."""
    labels, _ = ndimage.label(np.nan_to_num(distance, nan=-1.0) > 0)
    events = []
    for number, (where,) in enumerate(ndimage.find_objects(labels), start=1):
        inside = distance[where][labels[where] == number]
        above = np.flatnonzero(inside > AMPLITUDE_BPM)
        if len(above) and above[-1] - above[0] + 1 > MIN_EVENT_S and len(above) > MIN_EVENT_S * 0.6:
            events.append(Event(float(where.start), float(where.stop), float(inside.max())))
    return events


def accelerations(bridged_bpm: Array, level_bpm: Array) -> list[Event]:
    """Accelerations, longest ten minutes (longer is a change of baseline)."""
    return [event for event in _excursions(bridged_bpm - level_bpm) if event.duration_s < 600]


def decelerations(bridged_bpm: Array, level_bpm: Array) -> list[Event]:
    """Decelerations of any length."""
    return _excursions(level_bpm - bridged_bpm)


def contractions(toco_grid: Array) -> list[Event]:
    """Contractions from an uncalibrated tocogram.

    Peaks of the smoothed signal with a prominence of at least a fifth of its own 5th-95th centile
    range (and 5 units), a width of 20 s to 4 min at half height, at least 60 s apart. The resting
    tone is not judged: an external tocogram has no zero.
    """
    present = np.isfinite(toco_grid)
    if present.sum() < 120:
        return []
    filled = np.interp(np.arange(len(toco_grid)), np.flatnonzero(present), toco_grid[present])
    smooth = ndimage.gaussian_filter1d(filled, 8.0)
    spread = float(np.subtract(*np.percentile(smooth, [95, 5])))
    prominence = max(0.2 * spread, 5.0)
    peaks, found = signal.find_peaks(smooth, prominence=prominence, width=(20, 240), distance=60, rel_height=0.5)
    events = []
    for position in range(len(peaks)):
        start, end = found["left_ips"][position], found["right_ips"][position]
        if present[int(start) : int(end) + 1].mean() >= 0.5:
            events.append(Event(float(start), float(end), float(found["prominences"][position])))
    return events
