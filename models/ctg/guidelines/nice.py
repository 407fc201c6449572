"""NICE NG229, fetal monitoring in labour: the table of December 2022, and its later amendment.

Both were taken second-hand, from third parties that quote the guideline: check it before relying on them. The amendment
takes late decelerations out of the amber column: they are red, whatever their duration or repetition.
"""

from dataclasses import replace

import numpy as np

from models.ctg.contractions import per_ten_minutes
from models.ctg.guidelines.criteria import Criterion, RuleSet
from models.ctg.guidelines.measures import (
    TEN_MIN_S,
    TOLERANCE_S,
    baseline_between,
    counted,
    grouped,
    increased_variability,
    level_words,
    low_rate,
    not_known,
    reduced_variability,
    repetitions,
    with_shallow,
)
from models.ctg.guidelines.statements import Statements
from models.ctg.nice_versions import AMENDED
from models.ctg.reading import Reading
from models.ctg.reading.events import Deceleration, nice_kind
from models.ctg.reading.spans import Span, spans

NICE = RuleSet(
    rules="NICE NG229 (amended)",
    source="NICE guideline NG229 of December 2022 with its later amendment (both second-hand, not checked)",
    labels=("normal", "suspicious", "pathological"),
    fine="all four features white",
    ambers_for_red=2,
    coloured=True,
)
NICE_2022 = replace(
    NICE, rules="NICE NG229 (2022)", source="NICE guideline NG229, 14 December 2022 (second-hand, not checked)"
)
MINUTE_S, HALF_HOUR_S = 60.0, 1800.0
CONCERNING_S, SLOW_RETURN_S, PROLONGED_S = 60.0, 30.0, 180.0
REDUCED_AMBER_S, REDUCED_RED_S, INCREASED_RED_S = 1800.0, 3000.0, 600.0
SINUSOIDAL_S, PERHAPS_SINUSOIDAL_S = 600.0, 300.0
RISE_BPM, RISE_FROM_S, RISE_LEAST_S = 20.0, 900.0, 600.0
FREQUENT = 5.0


def criteria(reading: Reading, stated: Statements | None = None, version: str = AMENDED) -> list[Criterion]:
    """Every criterion with its time; one red or two amber make the trace pathological."""
    stated = stated or Statements()
    return (
        not_known(reading)
        + _contractions(reading, stated)
        + _baseline(reading)
        + _variability(reading)
        + _decelerations(reading, version)
    )


def _contractions(reading: Reading, stated: Statements) -> list[Criterion]:
    end = reading.duration_s
    recent = Span(max(0.0, end - HALF_HOUR_S), end)
    listed = []
    if stated.hypertonus:
        listed.append(Criterion("amber", "hypertonus, as stated", recent, feature="contractions"))
    elif stated.hypertonus is None:
        words = "hypertonus: an external tocogram has no zero; feel the uterus"
        listed.append(Criterion("open", words, recent, decisive=False))
    for start in np.arange(0.0, max(end - HALF_HOUR_S, 0.0) + 1.0, 600.0):
        stretch = Span(float(start), min(float(start) + HALF_HOUR_S, end))
        if stretch.length_s < TEN_MIN_S or per_ten_minutes(reading.contractions, *stretch) < FREQUENT:
            continue
        if stated.less_rest:
            words = "at least 5 contractions in 10 min with less rest, as stated"
            listed.append(Criterion("amber", words, stretch, feature="contractions"))
        elif stated.less_rest is None:
            words = "at least 5 contractions in 10 min: amber if the uterus rests less between them"
            listed.append(Criterion("open", words, stretch, after_s=600.0))
    return listed


def _baseline(reading: Reading) -> list[Criterion]:
    listed = low_rate(reading)
    for low, high, words in ((0.0, 100.0, "below 100"), (161.0, 1000.0, "above 160")):
        listed += [
            Criterion("red", f"baseline {level_words(reading, span)}, {words}", span, after_s=600.0)
            for span in baseline_between(reading, low, high)
        ]
    listed += [
        Criterion("amber", f"baseline {level_words(reading, span)}, 100-109", span, 600.0, feature="baseline")
        for span in baseline_between(reading, 100.0, 110.0)
    ]
    level = np.round(reading.baseline_bpm)
    if len(level) > 2 * RISE_FROM_S and np.isfinite(level).all():
        first = float(np.median(level[: int(RISE_FROM_S)]))
        for span in spans(level - first >= RISE_BPM, tolerance_s=TOLERANCE_S, least_s=RISE_LEAST_S):
            words = f"the baseline has risen by at least 20 bpm, from {first:.0f} to {level_words(reading, span)}"
            listed.append(Criterion("amber", words, span, RISE_LEAST_S, feature="baseline"))
    if not np.isfinite(level).any():
        whole = Span(0.0, reading.duration_s)
        listed.append(Criterion("amber", "the baseline cannot be determined", whole, feature="baseline"))
    return listed


def _variability(reading: Reading) -> list[Criterion]:
    listed = []
    for span in reduced_variability(reading):
        minutes = span.length_s / MINUTE_S
        if span.length_s > REDUCED_RED_S:
            words = f"variability below 5 bpm for {minutes:.0f} min, more than 50"
            listed.append(Criterion("red", words, span, REDUCED_RED_S, topic="reduced"))
        if span.length_s >= REDUCED_AMBER_S:
            words = "variability below 5 bpm for 30 min or more"
            listed.append(Criterion("amber", words, span, REDUCED_AMBER_S, feature="variability", topic="reduced"))
    for span in increased_variability(reading):
        if span.length_s > INCREASED_RED_S:
            words = f"variability above 25 bpm for {span.length_s / MINUTE_S:.0f} min, more than 10"
            listed.append(Criterion("red", words, span, INCREASED_RED_S, topic="increased"))
        listed.append(Criterion("amber", "variability above 25 bpm", span, feature="variability", topic="increased"))
    for span in reading.sinusoidal:
        if span.length_s >= SINUSOIDAL_S:
            listed.append(Criterion("red", "a sinusoidal rhythm", span, after_s=SINUSOIDAL_S))
        elif span.length_s >= PERHAPS_SINUSOIDAL_S:
            listed.append(Criterion("open", "a rhythm that looks sinusoidal for under 10 min", span))
    return listed


def concerning(event: Deceleration) -> bool:
    """Whether a variable deceleration lasts more than 60 s, has reduced variability inside, or returns slowly.

    The guideline gives no number for a slow return: it is taken as more than 30 s after nadir and contraction.
    """
    if nice_kind(event) not in ("variable", "gradual"):
        return False
    over = event.nadir_s if event.contraction is None else max(event.nadir_s, event.contraction.end_s)
    slow = event.return_s > SLOW_RETURN_S and event.end_s - over > SLOW_RETURN_S
    return event.duration_s > CONCERNING_S or slow or event.flat_s > 0.5 * event.duration_s


def _decelerations(reading: Reading, version: str) -> list[Criterion]:
    listed = []
    for event in reading.decelerations:
        if event.duration_s >= PROLONGED_S:
            still = ", not recovered" if event.running else ""
            words = f"a prolonged deceleration of {event.duration_s / MINUTE_S:.1f} min, at least 3{still}"
            listed.append(Criterion("red", words, Span(event.start_s, event.end_s), after_s=PROLONGED_S))
    for slow in reading.bradycardias:
        still = ", not recovered" if slow.running else ""
        words = f"acute bradycardia at {slow.median_bpm:.0f} bpm for {slow.span.length_s / MINUTE_S:.0f} min{still}"
        listed.append(Criterion("red", words, slow.span, after_s=PROLONGED_S))
    events = with_shallow(reading)
    late = [event for event in events if nice_kind(event) == "late"]
    variable = [event for event in events if concerning(event)]
    if version == AMENDED:
        listed += [
            Criterion("red", counted(len(group), "late"), Span(group[0].start_s, group[-1].end_s), repeated=True)
            for group in grouped(late)
        ]
    else:
        listed += _repetitive(reading, late, "late decelerations")
    listed += _repetitive(reading, variable, "variable decelerations with concerning features")
    for group in grouped(variable):
        span = Span(group[0].start_s, group[-1].end_s)
        if span.length_s > HALF_HOUR_S:
            words = "variable decelerations with concerning features for more than 30 min"
            listed.append(Criterion("amber", words, span, HALF_HOUR_S, feature="decelerations", repeated=True))
    if variable:
        words = "loss of shouldering within decelerations is not measured"
        listed.append(Criterion("open", words, Span(variable[0].start_s, variable[-1].end_s), decisive=False))
    return listed


def _repetitive(reading: Reading, events: list[Deceleration], name: str) -> list[Criterion]:
    """Amber for less than 30 min, red for more."""
    listed = []
    for repetition in repetitions(reading.contractions, events):
        words = f"repetitive {name} {repetition.words}"
        if repetition.span.length_s > HALF_HOUR_S:
            long = f"{words}, for more than 30 min"
            listed.append(Criterion("red", long, repetition.span, HALF_HOUR_S, topic=name, repeated=True))
        listed.append(
            Criterion("amber", words, repetition.span, 300.0, feature="decelerations", topic=name, repeated=True)
        )
    return listed
