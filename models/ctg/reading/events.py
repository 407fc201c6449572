"""Accelerations and decelerations as the guidelines define them, measured from the held baseline.

A deceleration has its measures; each rule set names it (`figo_kind`, `nice_kind`, `nichd_kind`). The definitions:

- FIGO 2015: more than 15 bpm for more than 15 s. *Gradual*: more than 30 s between nadir and onset, or nadir and
  return. *Late*: gradual onset, gradual return or reduced variability inside; it starts more than 20 s after the
  contraction, has its nadir after the acme and returns after its end. 10 to 15 bpm count where variability is reduced
  and there are no accelerations.
- NICE, as its guidelines define it: *late* has a slow onset, its nadir more than 20 s after the acme, and ends after
  the contraction.
- NICHD 2008: *late* and *early* are gradual in onset and have no fixed minimum. They are taken from 5 bpm on, and only
  outside the trace's own variability. *Variable* is abrupt, at least 15 bpm and 15 s. *Prolonged* is 2 min or more.

The time between nadir and onset is measured from a quarter to three quarters of the depth and scaled to the whole,
because a noisy trace has no sharp nadir.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.events import Event
from models.ctg.reading.signal import running_mean
from models.ctg.reading.spans import Span, inside

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
AMPLITUDE_BPM, MIN_EVENT_S = 15.0, 15
PRETERM_BPM, PRETERM_S = 10.0, 10
CUT_MEAN_S = COURSE_MEAN_S = 15
RETURNED_BPM, RETURNED_SHARE, RETURNED_MOST_BPM = 5.0, 0.3, 15.0
MAX_ACCELERATION_S = 600
# 30 s in the texts. Noise shortens the measured time; abrupt onsets measure up to 20 s, also in noise.
GRADUAL_S, GRADUAL_RETURN_S = 20.0, 25.0
LATE_START_S, LATE_NADIR_S = 20.0, 20.0
SHALLOW_BPM = 5.0
RUNNING_S = 20
FIGO_SHALLOW_BPM = 10.0
PROLONGED_S, NICHD_PROLONGED_S = 180.0, 120.0
# A deceleration belongs to a contraction whose acme lies in this range before its nadir.
RELATED_S = (-45.0, 100.0)
_SHALLOW_MEAN_S = 21
_SHALLOW_SHARE = 0.75
_SHALLOW_LENGTH_S = (20.0, 150.0)


@dataclass(frozen=True)
class Deceleration:
    """One deceleration and what its naming rests on.

    Attributes
    ----------
    start_s, end_s, nadir_s : float
        From the start of the recording.
    depth_bpm : float
        Largest distance below the held baseline.
    lowest_bpm : float
        The rate there.
    onset_s, return_s : float
        From the start to the nadir, and from the nadir to the return.
    contraction : Event or None
        The contraction that it belongs to.
    related : bool
        False where contractions are not known at this time.
    running : bool
        Still more than 15 bpm below in the last 20 readable seconds of the trace.
    flat_s : float
        Time inside with variability below 5 bpm, s.
    area_bpm_s : float
        Area between trace and baseline.
    """

    start_s: float
    end_s: float
    nadir_s: float
    depth_bpm: float
    lowest_bpm: float = 0.0
    onset_s: float = 0.0
    return_s: float = 0.0
    contraction: Event | None = None
    related: bool = True
    running: bool = False
    flat_s: float = 0.0
    area_bpm_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.end_s - self.start_s

    def as_event(self) -> Event:
        """As it is drawn and stored, named by FIGO."""
        return Event(
            start_s=self.start_s,
            end_s=self.end_s,
            peak=self.depth_bpm,
            peak_s=self.nadir_s,
            kind=figo_kind(self),
            lag_s=self.lag_s,
            area_bpm_s=self.area_bpm_s,
        )

    @property
    def lag_s(self) -> float | None:
        """Time from the acme to the nadir, s; None without a contraction."""
        return None if self.contraction is None else self.nadir_s - self.contraction.peak_s

    @property
    def after_contraction(self) -> bool:
        """Whether it starts more than 20 s after the contraction, and has its nadir and its return after it."""
        if self.contraction is None or self.lag_s is None:
            return False
        starts_late = self.start_s - self.contraction.start_s > LATE_START_S
        return starts_late and self.lag_s > 0 and self.end_s > self.contraction.end_s


def figo_kind(event: Deceleration) -> str:
    """Name it by FIGO: prolonged, late, early, variable, or gradual where no contraction belongs to it."""
    if event.duration_s > PROLONGED_S:
        return "prolonged"
    gradual = event.onset_s > GRADUAL_S or event.return_s > GRADUAL_RETURN_S
    if event.after_contraction and (gradual or event.flat_s > 0.5 * event.duration_s):
        return "late"
    if event.onset_s <= GRADUAL_S:
        return "variable"
    return "gradual" if event.contraction is None else "early"


def nice_kind(event: Deceleration) -> str:
    """Name it as NICE does: late where the onset is slow and the nadir more than 20 s after the acme; else as FIGO."""
    kind = figo_kind(event)
    if kind != "late" and kind != "early":
        return kind
    slow = event.onset_s > GRADUAL_S or event.flat_s > 0.5 * event.duration_s
    if event.after_contraction and slow and event.lag_s is not None and event.lag_s > LATE_NADIR_S:
        return "late"
    return "early" if event.onset_s > GRADUAL_S else "variable"


def nichd_kind(event: Deceleration) -> str:
    """Name it by NICHD: prolonged from 2 min on, variable where the onset is abrupt, else late, early or gradual."""
    if event.duration_s >= NICHD_PROLONGED_S:
        return "prolonged"
    if event.onset_s <= GRADUAL_S:
        return "variable"
    if event.contraction is None or event.lag_s is None:
        return "gradual"
    return "late" if event.lag_s > 0 and event.end_s > event.contraction.end_s else "early"


def accelerations(interpolated_bpm: Array, reference_bpm: Array, low: Sequence[Span], preterm: bool) -> list[Event]:
    """Accelerations of less than ten minutes; none where the level has sunk.

    Parameters
    ----------
    preterm : bool
        Before 32+0 weeks 10 bpm for 10 s count.
    """
    amplitude, least = (PRETERM_BPM, PRETERM_S) if preterm else (AMPLITUDE_BPM, MIN_EVENT_S)
    distance = running_mean(interpolated_bpm, 3) - reference_bpm
    sunken = inside(low, len(distance))
    events = []
    for where in _runs(distance, 0.5, least):
        peak = where.start + int(np.argmax(distance[where]))
        if distance[peak] >= amplitude and where.stop - where.start < MAX_ACCELERATION_S and not sunken[where].any():
            area = float(distance[where].sum())
            top = float(distance[peak])
            events.append(Event(float(where.start), float(where.stop), top, float(peak), area_bpm_s=area))
    return events


def decelerations(
    bridged_bpm: Array, reference_bpm: Array, contractions: Sequence[Event], known: Flags
) -> list[Deceleration]:
    """Decelerations of more than 15 bpm and more than 15 s, of any length.

    Parameters
    ----------
    bridged_bpm : ndarray, shape (seconds,)
        Heart rate with gaps of up to a minute interpolated: a short loss does not end a deceleration.
    reference_bpm : ndarray, shape (seconds,)
        The held level, which does not follow a fall.
    known : ndarray of bool, shape (seconds,)
        Where contractions are known.
    """
    smooth = running_mean(bridged_bpm, 3)
    distance = reference_bpm - smooth
    last = _last(smooth)
    events = []
    for where in _runs(distance, RETURNED_BPM, MIN_EVENT_S):
        for span in _pieces(where, distance):
            event = _measured(span, distance, smooth, last)
            if event is not None and event.depth_bpm > AMPLITUDE_BPM:
                events.append(_related(event, contractions, known))
    return events


def shallow_dips(
    interpolated_bpm: Array, reference_bpm: Array, contractions: Sequence[Event], own_bpm: Array, taken: Sequence[Span]
) -> list[Deceleration]:
    """Gradual dips of 5 to 15 bpm after contractions that stand out from the trace's own variability.

    Parameters
    ----------
    own_bpm : ndarray, shape (seconds,)
        Variability between the dips, as bandwidth.
    taken : sequence of Span
        Decelerations that are known already.
    """
    smooth = running_mean(interpolated_bpm, _SHALLOW_MEAN_S)
    distance = reference_bpm - smooth
    known, last = inside(taken, len(distance)), _last(smooth)
    dips = []
    for contraction in contractions:
        window = slice(max(0, int(contraction.start_s)), min(len(distance), int(contraction.peak_s + RELATED_S[1])))
        part = distance[window]
        if window.stop - window.start < 30 or not np.isfinite(part).any():
            continue
        nadir = window.start + int(np.nanargmax(part))
        depth = float(distance[nadir])
        if known[nadir] or not max(SHALLOW_BPM, _SHALLOW_SHARE * own_bpm[nadir]) <= depth:
            continue
        labels, _ = ndimage.label(np.nan_to_num(distance, nan=-1.0) > 0.25 * depth)
        (edges,) = np.nonzero(labels == labels[nadir])
        span = Span(float(edges[0]), float(edges[-1] + 1))
        if _SHALLOW_LENGTH_S[0] <= span.length_s <= _SHALLOW_LENGTH_S[1] and not known[edges].any():
            event = _measured(span, distance, smooth, last)
            if event is not None:
                dips.append(_related(event, [contraction], np.ones(len(distance), dtype=bool)))
    return dips


def _pieces(where: slice, distance: Array) -> list[Span]:
    """Cut a run where a deep deceleration came back to within three tenths of its depth, at most 15 bpm."""
    level = float(np.clip(RETURNED_SHARE * np.nanmax(distance[where]), RETURNED_BPM, RETURNED_MOST_BPM))
    course = running_mean(distance[where], CUT_MEAN_S)
    parts = [Span(float(where.start + w.start), float(where.start + w.stop)) for w in _runs(course, level, 5)]
    if len(parts) < 2:
        return [Span(float(where.start), float(where.stop))]
    cuts = [0.5 * (a.end_s + b.start_s) for a, b in pairwise(parts)]
    edges = [float(where.start), *cuts, float(where.stop)]
    return [Span(a, b) for a, b in pairwise(edges) if b - a > MIN_EVENT_S]


def _last(smooth: Array) -> int:
    present = np.flatnonzero(np.isfinite(smooth))
    return int(present[-1]) + 1 if len(present) else 0


def _runs(distance: Array, above: float, longer_than: int) -> list[slice]:
    labels, _ = ndimage.label(np.nan_to_num(distance, nan=-1.0) > above)
    return [where for (where,) in ndimage.find_objects(labels) if where.stop - where.start > longer_than]


def _measured(span: Span, distance: Array, smooth: Array, last: int) -> Deceleration | None:
    inner = slice(int(span.start_s), int(span.end_s))
    part = distance[inner]
    if not np.isfinite(part).any():
        return None
    nadir = int(np.nanargmax(part))
    depth = float(part[nadir])
    course = running_mean(part, COURSE_MEAN_S)
    still = float(np.nanmedian(part[-RUNNING_S:])) if np.isfinite(part[-RUNNING_S:]).any() else depth
    onset, back = _scaled(course[: nadir + 1]), _scaled(course[nadir:][::-1])
    return Deceleration(
        start_s=span.start_s,
        end_s=span.end_s,
        nadir_s=span.start_s + nadir,
        depth_bpm=depth,
        lowest_bpm=float(smooth[inner.start + nadir]),
        onset_s=onset,
        return_s=back,
        running=span.end_s >= last and still > AMPLITUDE_BPM,
        area_bpm_s=float(np.nansum(part)),
    )


def _scaled(course: Array) -> float:
    """Time of a rise from a quarter to three quarters of its largest value, scaled to the whole rise, s."""
    if len(course) < 3 or not np.isfinite(course).any():
        return float(len(course))
    top = float(np.nanmax(course))
    high = int(np.argmax(np.nan_to_num(course, nan=-1.0) >= 0.75 * top))
    low = np.flatnonzero(np.nan_to_num(course[:high], nan=top) <= 0.25 * top)
    first = int(low[-1]) if len(low) else 0
    return 2.0 * (high - first)


def _related(event: Deceleration, contractions: Sequence[Event], known: Flags) -> Deceleration:
    lags = np.array([event.nadir_s - candidate.peak_s for candidate in contractions])
    if len(lags):
        near = (lags >= RELATED_S[0]) & (lags <= RELATED_S[1])
        if near.any():
            return replace(event, contraction=contractions[int(np.argmin(np.where(near, np.abs(lags), np.inf)))])
    return replace(event, related=bool(known[min(int(event.nadir_s), len(known) - 1)]))
