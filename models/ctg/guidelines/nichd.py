"""NICHD workshop on electronic fetal monitoring, 2008: three categories. ACOG's guideline of 2025 builds on them."""

from models.ctg.guidelines.criteria import Criterion, RuleSet
from models.ctg.guidelines.measures import (
    Repetition,
    baseline_between,
    counted,
    grouped,
    level_words,
    not_known,
    repetitions,
    trailing_variability,
    variability_of,
)
from models.ctg.guidelines.statements import Statements
from models.ctg.reading import Reading
from models.ctg.reading.events import Deceleration, nichd_kind
from models.ctg.reading.spans import Span, spans
from models.ctg.reading.variability import ABSENT_BPM, INCREASED_BPM, REDUCED_BPM, STEP_S

NICHD = RuleSet(
    rules="NICHD 2008",
    source=(
        "Macones GA et al. Obstet Gynecol 2008;112:661-666 (checked; the duration of the sinusoidal pattern "
        "second-hand). ACOG Clinical Practice Guideline 10 (2025) builds on these categories"
    ),
    labels=("category I", "category II", "category III"),
    fine="baseline 110-160 bpm, moderate variability, no late, variable or prolonged decelerations",
)
SINUSOIDAL_S = 1200.0
# Variability is read over the last twenty minutes, as recurrence is.
READ_OVER_S = 1200.0


def criteria(reading: Reading, stated: Statements | None = None) -> list[Criterion]:
    """Every criterion with its time.

    Absent variability is a bandwidth below 2 bpm, or what a person stated. Between 2 and 5 bpm a monitor's rounding
    hides whether variability is absent; with a grave finding this stays open.
    """
    stated = stated or Statements()
    listed = not_known(reading) + _grave(reading, stated)
    for low, high in ((0.0, 110.0), (161.0, 1000.0)):
        listed += [
            Criterion("amber", f"baseline {level_words(reading, span)}, outside 110-160", span, after_s=600.0)
            for span in baseline_between(reading, low, high)
        ]
    return listed + _variability(reading) + _decelerations(reading)


def _recurrent(reading: Reading, kind: str) -> list[Repetition]:
    events = [event for event in (*reading.decelerations, *reading.dips) if nichd_kind(event) == kind]
    return repetitions(reading.contractions, events, at_least_half=True)


def _grave(reading: Reading, stated: Statements) -> list[Criterion]:
    listed = [
        Criterion("red", "sinusoidal rhythm for at least 20 min", span, after_s=SINUSOIDAL_S)
        for span in reading.sinusoidal
        if span.length_s >= SINUSOIDAL_S
    ]
    grave = [
        (f"recurrent {kind} decelerations {one.words}", one.span)
        for kind in ("late", "variable")
        for one in _recurrent(reading, kind)
    ]
    grave += [("bradycardia", span) for span in baseline_between(reading, 0.0, 110.0)]
    for words, span in grave:
        width = variability_of(reading, span)
        if width is not None and width > REDUCED_BPM:
            continue
        if stated.absent_variability or (
            stated.absent_variability is None and width is not None and width < ABSENT_BPM
        ):
            listed.append(Criterion("red", f"absent variability with {words}", span, after_s=300.0))
        elif stated.absent_variability is None:
            unsure = f"whether variability is absent: {words} would then be category III"
            listed.append(Criterion("open", unsure, span, after_s=300.0))
    return listed


def _variability(reading: Reading) -> list[Criterion]:
    width = trailing_variability(reading, READ_OVER_S)
    listed = []
    for holds, words in (
        (width < ABSENT_BPM, "absent variability: below 2 bpm"),
        ((width >= ABSENT_BPM) & (width <= REDUCED_BPM), "minimal variability: at most 5 bpm"),
        (width > INCREASED_BPM, "marked variability: above 25 bpm"),
        (width != width, "variability cannot be measured"),
    ):
        listed += [Criterion("amber", words, span) for span in spans(holds, STEP_S, least_s=120.0)]
    return listed


def _decelerations(reading: Reading) -> list[Criterion]:
    listed = []
    for kind in ("late", "variable", "prolonged", "gradual"):
        events: list[Deceleration] = [
            event for event in (*reading.decelerations, *reading.dips) if nichd_kind(event) == kind
        ]
        why = ", late or early: no contraction belongs to them" if kind == "gradual" else ""
        listed += [
            Criterion("amber", counted(len(group), kind) + why, Span(group[0].start_s, group[-1].end_s), repeated=True)
            for group in grouped(sorted(events, key=lambda event: event.start_s))
        ]
    return listed
