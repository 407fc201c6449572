"""Readings with stated content, for the guidelines' vectors: an hour is normal unless something is changed."""

from dataclasses import replace
from typing import Any

import numpy as np

from models.ctg.events import Event
from models.ctg.guidelines.criteria import Criterion, GuidelineClass, RuleSet
from models.ctg.reading import Reading
from models.ctg.reading.events import Deceleration
from models.ctg.reading.spans import Span
from models.ctg.reading.variability import STEP_S

EVERY_S = 180.0


def hour(minutes: float = 60.0, bpm: float = 140.0, bandwidth: float = 12.0, **changes: Any) -> Reading:
    """A normal reading of this length with contractions every three minutes, with these changes."""
    seconds = int(minutes * 60)
    reading = Reading(
        duration_s=float(seconds),
        grid_bpm=np.full(seconds, bpm),
        reference_bpm=np.full(seconds, bpm),
        baseline_bpm=np.full(seconds, bpm),
        contractions=contractions(seconds),
        contractions_known=np.ones(seconds, dtype=bool),
        bandwidth_bpm=np.full(-(-seconds // STEP_S), bandwidth),
    )
    return replace(reading, **changes)


def contractions(seconds: float) -> tuple[Event, ...]:
    """Contractions of 60 s every three minutes, the first acme at 2 min."""
    acmes = np.arange(120.0, seconds - 60, EVERY_S)
    return tuple(Event(float(a) - 30, float(a) + 30, 40.0, float(a)) for a in acmes)


def course(minutes: float, *steps: tuple[float, float], step_s: float = 1.0) -> np.ndarray:
    """A value that changes at given minutes: (minute, value), ..."""
    values = np.empty(int(minutes * 60 / step_s))
    for start, value in steps:
        values[int(start * 60 / step_s) :] = value
    return values


def decelerations(
    reading: Reading, kind: str, start_min: float = 0.0, end_min: float = 60.0, *, every: int = 1, **changes: Any
) -> Reading:
    """Add a deceleration of this kind with every `every`-th contraction between the minutes."""
    chosen = [c for c in reading.contractions if 60 * start_min <= c.start_s and c.peak_s + 100 <= 60 * end_min]
    events = tuple(one(kind, c, **changes) for c in chosen[::every])
    return replace(reading, decelerations=tuple(sorted((*reading.decelerations, *events), key=lambda e: e.start_s)))


def one(kind: str, contraction: Event | None, at_s: float = 0.0, **changes: Any) -> Deceleration:
    """One deceleration: late, variable, early or gradual; 30 bpm unless changed."""
    acme = contraction.peak_s if contraction is not None else at_s
    shapes = {
        "late": {"start_s": acme, "nadir_s": acme + 35, "end_s": acme + 75, "onset_s": 35.0, "return_s": 40.0},
        "variable": {"start_s": acme - 15, "nadir_s": acme, "end_s": acme + 25, "onset_s": 10.0, "return_s": 10.0},
        "early": {"start_s": acme - 35, "nadir_s": acme, "end_s": acme + 35, "onset_s": 35.0, "return_s": 35.0},
        "gradual": {"start_s": acme, "nadir_s": acme + 35, "end_s": acme + 75, "onset_s": 35.0, "return_s": 20.0},
    }
    values: dict[str, Any] = {"depth_bpm": 30.0, "lowest_bpm": 110.0, "contraction": contraction, **shapes[kind]}
    return Deceleration(**{**values, **changes})


def fall(
    start_min: float, minutes: float, *, lowest: float = 85.0, running: bool = False, flat_s: float = 0.0
) -> Deceleration:
    """One isolated deceleration of any length."""
    start = 60 * start_min
    return Deceleration(
        start, start + 60 * minutes, start + 60, 140 - lowest, lowest, 40.0, 40.0, running=running, flat_s=flat_s
    )


def span(start_min: float, end_min: float) -> Span:
    """From minute to minute."""
    return Span(60 * start_min, 60 * end_min)


def graded(rules: RuleSet, criteria: list[Criterion], reading: Reading) -> GuidelineClass:
    """The answer at the end."""
    return rules.answer(criteria, reading.duration_s)
