"""Findings that decide the state of a trace, whatever a model says.

They are taken from the reading, with their times, by the same definitions as the rule sets. Which finding means which
state is decided in `docs/adr/0020-state-apart-from-score.md`.
"""

import numpy as np

from models.ctg.guidelines.criteria import Criterion
from models.ctg.guidelines.dawes_redman import MIN_STV_MS
from models.ctg.guidelines.figo import (
    INCREASED_RED_S,
    REDUCED_RED_S,
    SINUSOIDAL_AMBER_S,
)
from models.ctg.guidelines.measures import (
    TEN_MIN_S,
    TOLERANCE_S,
    counted,
    grouped,
    increased_variability,
    level_words,
    reduced_variability,
    repetitions,
    with_shallow,
)
from models.ctg.reading import Reading
from models.ctg.reading.events import PROLONGED_S, figo_kind, nice_kind
from models.ctg.reading.spans import Span, spans

# Readers state a baseline to 5 bpm.
ROUNDED_TO_BPM = 5.0
LOW_BPM, HIGH_BPM = 100.0, 160.0
# Quiet sleep of a healthy fetus rarely lasts longer (the reason why a non-stress test goes on for 40 min).
ASLEEP_S = 2400.0
LEAST_STV_S = 1200.0
REACTIVE_COUNT = 2


def urgent(reading: Reading) -> list[Criterion]:
    """Findings that mean *high*: the rate is low or has fallen, and has not recovered at the last readable second."""
    end = reading.duration_s
    listed = [
        Criterion(
            "red",
            f"acute bradycardia: {slow.median_bpm:.0f} bpm for {slow.span.length_s / 60:.0f} min, not recovered",
            Span(slow.span.start_s, end),
        )
        for slow in reading.bradycardias
        if slow.running
    ]
    for event in reading.decelerations:
        if event.running and event.duration_s >= PROLONGED_S and not listed:
            minutes = event.duration_s / 60.0
            words = f"a deceleration of {minutes:.1f} min to {event.lowest_bpm:.0f} bpm, not recovered"
            listed.append(Criterion("red", words, Span(event.start_s, end)))
    return listed


def alarming(reading: Reading, stage: str = "labour") -> list[Criterion]:
    """Findings that mean *raised*; in labour also undulation with accelerations, where nothing shows it harmless."""
    listed = []
    undulating = _sinusoidal(reading, reactive=False) if stage == "antepartum" else list(reading.sinusoidal)
    level = ROUNDED_TO_BPM * np.round(reading.baseline_bpm / ROUNDED_TO_BPM)
    with np.errstate(invalid="ignore"):
        outside = ((level > HIGH_BPM, "above 160"), (level < LOW_BPM, "below 100"))
    for holds, words in outside:
        listed += [
            Criterion("red", f"baseline {level_words(reading, span)}, {words}", span, TEN_MIN_S)
            for span in spans(holds, tolerance_s=TOLERANCE_S, least_s=TEN_MIN_S)
        ]
    for stretches, least_s, words in (
        (reduced_variability(reading), REDUCED_RED_S, "variability below 5 bpm for more than 50 min"),
        (increased_variability(reading), INCREASED_RED_S, "variability above 25 bpm for more than 30 min"),
        (undulating, SINUSOIDAL_AMBER_S, "a sinusoidal rhythm"),
    ):
        listed += [Criterion("red", words, span, least_s) for span in stretches if span.length_s >= least_s]
    late = [event for event in with_shallow(reading) if figo_kind(event) == "late"]
    for repetition in repetitions(reading.contractions, late):
        words = f"late decelerations {repetition.words}"
        listed.append(Criterion("red", words, repetition.span, 300.0, repeated=True))
    return listed


def _sinusoidal(reading: Reading, *, reactive: bool) -> list[Span]:
    """Regular undulation without accelerations, as FIGO defines the sinusoidal rhythm; or that with accelerations."""
    tops = [event.peak_s for event in reading.accelerations]
    counts = [sum(span.start_s <= top <= span.end_s for top in tops) for span in reading.sinusoidal]
    return [
        span for span, count in zip(reading.sinusoidal, counts, strict=True) if (count >= REACTIVE_COUNT) == reactive
    ]


def questionable(reading: Reading) -> list[Criterion]:
    """Findings that forbid *low*, besides what the rule sets say.

    A single late deceleration, by FIGO or NICE; regular undulation with accelerations.
    """
    late = [event for event in with_shallow(reading) if "late" in (nice_kind(event), figo_kind(event))]
    listed = [
        Criterion("amber", counted(len(group), "late"), Span(group[0].start_s, group[-1].end_s), repeated=True)
        for group in grouped(late)
    ]
    return listed + [
        Criterion("amber", "a regular undulation with accelerations (pseudo-sinusoidal?)", span, SINUSOIDAL_AMBER_S)
        for span in _sinusoidal(reading, reactive=True)
        if span.length_s >= SINUSOIDAL_AMBER_S
    ]


def preterminal(reading: Reading) -> list[Criterion]:
    """Findings that mean *raised* in a trace without labour: repeated decelerations, or one with little variability."""
    flat = reduced_variability(reading)
    listed = []
    for group in grouped(list(reading.decelerations)):
        stretch = Span(group[0].start_s, group[-1].end_s)
        little = any(span.start_s <= stretch.end_s and span.end_s >= stretch.start_s for span in flat)
        if len(group) >= 2 or little:
            also = " with variability below 5 bpm" if little else ""
            words = f"{counted(len(group), '')}{also} without labour"
            listed.append(Criterion("red", words, stretch, repeated=True))
    return listed


def flat_without_labour(reading: Reading) -> list[Criterion]:
    """Findings that mean *raised* in a trace without labour: little variability for longer than a fetus sleeps.

    Variability below 5 bpm for 40 min, or short-term variation below 3 ms (Dawes-Redman), each without acceleration.
    """
    tops = [event.peak_s for event in reading.accelerations]
    listed = [
        Criterion("red", "variability below 5 bpm for 40 min or more without an acceleration", span, ASLEEP_S)
        for span in reduced_variability(reading)
        if span.length_s >= ASLEEP_S - TOLERANCE_S and not any(span.start_s <= top <= span.end_s for top in tops)
    ]
    variation = reading.short_term_variation_ms
    readable_s = float(np.isfinite(reading.grid_bpm).sum())
    if not listed and not tops and readable_s >= LEAST_STV_S and variation is not None and variation < MIN_STV_MS:
        words = f"short-term variation {variation:.1f} ms, below {MIN_STV_MS:g}, and no acceleration"
        listed.append(Criterion("red", words, Span(0.0, reading.duration_s)))
    return listed


def counted_now(criteria: list[Criterion], at_s: float) -> list[str]:
    """Words of those that count at this moment, in order of their start, with times."""
    now = sorted((c for c in criteria if c.counts(at_s)), key=lambda c: c.span.start_s)
    return list(dict.fromkeys(c.timed(at_s) for c in now))
