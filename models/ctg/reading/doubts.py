"""Doubts about what was recorded: the mother's pulse, a halved or doubled rate, two fetuses, a very low rate.

A doubt never makes a trace better. It says why the rate may not be that of this fetus.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ctg.events import Event
from models.ctg.reading.bradycardia import very_low
from models.ctg.reading.signal import carried, running_mean
from models.ctg.reading.spans import Span, merged

Array = NDArray[np.float64]
STEP_BPM = 15.0
_ABRUPT_S, _GAP_S, _SIDE_S, _STAYS_S = 3, 30, 20, 60
HALF, DOUBLE = (0.48, 0.52), (1.92, 2.08)
MATERNAL_BPM = (50.0, 120.0)
FETAL_BPM = 110.0
MATERNAL_DROP_BPM, MATERNAL_RISE_BPM, MATERNAL_LEAST_S = 15.0, 4.0, 180.0
ALTERNATIONS, ALTERNATION_S = 4, 120
VERY_LOW_TOTAL_S = 10.0


class Doubt(NamedTuple):
    """Why a stretch may not show this fetus."""

    span: Span
    words: str


class _Step(NamedTuple):
    at_s: int
    before_bpm: float
    after_bpm: float
    until_s: int


def doubts(grid_bpm: Array, contractions: Sequence[Event]) -> tuple[Doubt, ...]:
    """Every doubt, in order of time.

    Parameters
    ----------
    grid_bpm : ndarray, shape (seconds,)
        Heart rate, gaps as NaN.
    """
    steps = _steps(grid_bpm)
    all_doubts = [doubt for step in steps if (doubt := _ratio(step))]
    maternal: list[Doubt] = []
    for step in steps:
        if not any(one.span.start_s <= step.at_s < one.span.end_s for one in maternal):
            maternal += [doubt for doubt in (_maternal(step, grid_bpm, contractions),) if doubt]
    all_doubts += maternal
    all_doubts += _alternating(steps)
    all_doubts += [
        Doubt(span, "a rate of 30 to 50 bpm: the fetal heart, the mother's pulse or a halved rate? Feel and listen")
        for span in merged(very_low(grid_bpm), 60.0)
    ]
    return tuple(sorted(all_doubts))


def _steps(grid_bpm: Array) -> list[_Step]:
    """Changes of level of more than 15 bpm within three seconds, or over a gap, that stay for a minute."""
    present = np.flatnonzero(np.isfinite(grid_bpm))
    if len(present) < 2 * _STAYS_S:
        return []
    values = grid_bpm[present]
    change = np.abs(values[_ABRUPT_S:] - values[:-_ABRUPT_S])
    gap = present[_ABRUPT_S:] - present[:-_ABRUPT_S]
    changes: list[tuple[int, float, float]] = []
    for k in np.flatnonzero((change > STEP_BPM) & (gap <= _GAP_S)):
        at = int(present[k + _ABRUPT_S])
        if changes and at - changes[-1][0] < _STAYS_S // 2:
            continue
        before, after = values[max(0, k - _SIDE_S) : k + 1], values[k + _ABRUPT_S : k + _ABRUPT_S + _STAYS_S]
        if abs(float(after.mean()) - float(before.mean())) < STEP_BPM / 2:
            continue
        low, high = float(np.median(before)), float(np.median(after))
        spreads = [float(np.percentile(side, 90) - np.percentile(side, 10)) for side in (before, after)]
        abrupt = gap[k] > _ABRUPT_S or change[k] > 0.6 * abs(high - low)
        if abrupt and abs(high - low) > STEP_BPM and max(spreads) < max(STEP_BPM, 0.5 * abs(high - low)):
            changes.append((at, low, high))
    minute = carried(running_mean(carried(grid_bpm), _STAYS_S))
    return [_Step(at, low, high, _until(minute, at, low, high)) for at, low, high in changes]


def _until(minute: Array, at: int, before: float, after: float) -> int:
    """When the rate is back, within a quarter of the step; the end of the trace if it is not."""
    nearly = before + 0.25 * (after - before)
    back = minute[at + _STAYS_S :] > nearly if after < before else minute[at + _STAYS_S :] < nearly
    return at + _STAYS_S + int(np.argmax(back)) if back.any() else len(minute)


def _ratio(step: _Step) -> Doubt | None:
    ratio = step.after_bpm / step.before_bpm
    for (low, high), word in ((HALF, "one half"), (DOUBLE, "two")):
        if low <= ratio <= high:
            words = f"the rate steps from {step.before_bpm:.0f} to {step.after_bpm:.0f} bpm, by a factor of {word}: "
            return Doubt(Span(float(step.at_s), float(step.until_s)), f"{words}a counting error of the monitor?")
    return None


def _maternal(step: _Step, grid_bpm: Array, contractions: Sequence[Event]) -> Doubt | None:
    """A step down to a plausible maternal rate that then rises with the contractions."""
    plausible = MATERNAL_BPM[0] <= step.after_bpm <= MATERNAL_BPM[1] and step.before_bpm >= FETAL_BPM
    if not plausible or step.before_bpm - step.after_bpm < MATERNAL_DROP_BPM:
        return None
    span = Span(float(step.at_s), float(step.until_s))
    after = grid_bpm[step.at_s : step.until_s]
    inside = [c for c in contractions if span.start_s + 15 <= c.peak_s < span.end_s - 15]
    if span.length_s < MATERNAL_LEAST_S or not inside or not np.isfinite(after).any():
        return None
    level = float(np.nanmedian(after))
    rises = []
    for event in inside:
        part = grid_bpm[int(event.peak_s) - 20 : int(event.peak_s) + 20]
        rises.append(float(np.nanmean(part)) - level if np.isfinite(part).any() else 0.0)
    clear = [rise for rise in rises if rise > MATERNAL_RISE_BPM]
    if 2 * len(clear) < len(rises) or (len(clear) == 1 and clear[0] < 2 * MATERNAL_RISE_BPM):
        return None
    words = f"the rate steps from {step.before_bpm:.0f} to {step.after_bpm:.0f} bpm and rises with contractions: "
    return Doubt(span, f"{words}the mother's pulse? Compare with her pulse")


def _alternating(steps: Sequence[_Step]) -> list[Doubt]:
    """Four or more steps up and down within an hour."""
    stretches = []
    for k in range(len(steps) - ALTERNATIONS + 1):
        group = steps[k : k + ALTERNATIONS]
        signs = [np.sign(step.after_bpm - step.before_bpm) for step in group]
        apart = min(b.at_s - a.at_s for a, b in pairwise(group))
        # A variable deceleration is as abrupt, and shorter.
        if (
            apart >= ALTERNATION_S
            and group[-1].at_s - group[0].at_s <= 3600
            and all(a != b for a, b in pairwise(signs))
        ):
            stretches.append(Span(float(group[0].at_s), float(group[-1].until_s)))
    words = "the rate jumps between two levels: two fetuses, or fetus and mother?"
    return [Doubt(span, words) for span in merged(stretches, 600.0)]
