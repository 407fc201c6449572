"""Accelerations and decelerations on the one-second grid, and what kind of deceleration each is.

FIGO consensus (Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24): an event differs from the baseline by
more than 15 bpm and lasts more than 15 s, from leaving the baseline to the return. An acceleration of 10 min is a
change of baseline. A deceleration is *prolonged* if it lasts more than 3 min, and *variable* if onset to nadir take
less than 30 s. Others are gradual: *late* if they start more than 20 s after the onset of a contraction and have their
nadir after the acme, *early* if they coincide with the contraction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
AMPLITUDE_BPM = 15.0
MIN_EVENT_S = 15
RETURNED_BPM = 0.5  # closer than a recorder resolves two beats: back at the baseline
PROLONGED_S = 180
MAX_ACCELERATION_S = 600
GRADUAL_S = 30.0
LATE_START_S = 20.0
# A deceleration belongs to a contraction whose acme lies in this range before its nadir.
RELATED_S = (-45.0, 90.0)


@dataclass(frozen=True)
class Event:
    """An acceleration, a deceleration or a contraction.

    Attributes
    ----------
    start_s, end_s : float
        From the start of the recording.
    peak : float
        Largest distance from the baseline, bpm. For a contraction, its height above the tone, toco units.
    peak_s : float
        Time of the peak: nadir of a deceleration, acme of a contraction.
    kind : str
        Kind of a deceleration: ``"early"``, ``"late"``, ``"variable"``, ``"prolonged"``, or ``"gradual"`` where no
        contraction can be related to it. Empty for other events.
    lag_s : float or None
        Time from the acme of the contraction that it belongs to, to the nadir.
    area_bpm_s : float
        Area between trace and baseline.
    """

    start_s: float
    end_s: float
    peak: float
    peak_s: float = 0.0
    kind: str = ""
    lag_s: float | None = None
    area_bpm_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.end_s - self.start_s


def _excursions(distance: Array) -> list[Event]:
    """Runs above the baseline that last more than 15 s and peak more than 15 bpm from it."""
    labels, _ = ndimage.label(np.nan_to_num(distance, nan=-1.0) > RETURNED_BPM)
    events = []
    for (where,) in ndimage.find_objects(labels):
        if where.stop - where.start <= MIN_EVENT_S:
            continue
        inside = distance[where]
        peak = int(np.argmax(inside))
        if inside[peak] > AMPLITUDE_BPM:
            start = float(where.start)
            events.append(
                Event(start, float(where.stop), float(inside[peak]), start + peak, area_bpm_s=float(inside.sum()))
            )
    return events


def find_accelerations(interpolated_bpm: Array, level_bpm: Array) -> list[Event]:
    """Accelerations of less than ten minutes (a longer one is a change of baseline)."""
    return [
        event for event in _excursions(_smooth(interpolated_bpm) - level_bpm) if event.duration_s < MAX_ACCELERATION_S
    ]


def find_decelerations(
    interpolated_bpm: Array, level_bpm: Array, contractions: Sequence[Event] | None = None
) -> list[Event]:
    """Decelerations of any length with their kind and their lag to the contraction.

    Parameters
    ----------
    contractions : sequence of Event or None
        None where there is no tocogram. Gradual decelerations are then neither early nor late.
    """
    return [_typed(event, contractions) for event in _excursions(level_bpm - _smooth(interpolated_bpm))]


def _smooth(values: Array) -> Array:
    """Three-second mean. Lost samples stay lost."""
    present = np.isfinite(values)
    total = ndimage.uniform_filter1d(np.where(present, values, 0.0), 3)
    count = ndimage.uniform_filter1d(present.astype(float), 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(present, total / count, np.nan)


def _typed(event: Event, contractions: Sequence[Event] | None) -> Event:
    lag, contraction = None, None
    if contractions:
        lags = np.array([event.peak_s - candidate.peak_s for candidate in contractions])
        related = (lags >= RELATED_S[0]) & (lags <= RELATED_S[1])
        if related.any():
            nearest = int(np.argmin(np.where(related, np.abs(lags), np.inf)))
            contraction, lag = contractions[nearest], float(lags[nearest])
    if event.duration_s > PROLONGED_S:
        kind = "prolonged"
    elif event.peak_s - event.start_s < GRADUAL_S:
        kind = "variable"
    elif contraction is None or lag is None:
        kind = "gradual"
    elif event.start_s - contraction.start_s > LATE_START_S and lag > 0:
        kind = "late"
    else:
        kind = "early"
    return replace(event, kind=kind, lag_s=lag)
