"""FIGO consensus guidelines on intrapartum monitoring, 2015."""

from models.ctg.guidelines.criteria import Criterion, RuleSet
from models.ctg.guidelines.measures import (
    baseline_between,
    counted,
    grouped,
    increased_variability,
    level_words,
    low_rate,
    not_known,
    reduced_variability,
    repetitions,
    variability_of,
    with_shallow,
)
from models.ctg.reading import Reading
from models.ctg.reading.events import Deceleration, figo_kind
from models.ctg.reading.spans import Span
from models.ctg.reading.variability import REDUCED_BPM

FIGO = RuleSet(
    rules="FIGO 2015",
    source=(
        "Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24 (table checked; the numbers of the sinusoidal "
        "pattern, and the exception for decelerations of 10 to 15 bpm, second-hand)"
    ),
    labels=("normal", "suspicious", "pathological"),
    fine="baseline 110-160 bpm, variability 5-25 bpm, no repetitive decelerations",
)
MINUTE_S = 60.0
LONG_S, REDUCED_RED_S, INCREASED_RED_S, SINUSOIDAL_RED_S = 300.0, 3000.0, 1800.0, 1800.0
# The text gives no shorter duration from which variability is no longer normal: half an hour of it, half of the trace
# where that is shorter, ten minutes of increased variability or of a sinusoidal rhythm.
REDUCED_AMBER_S, INCREASED_AMBER_S, SINUSOIDAL_AMBER_S = 1800.0, 600.0, 600.0
REPETITIVE_S, REPETITIVE_REDUCED_S = 1800.0, 1200.0
EMERGENCY_BPM = 80.0


def criteria(reading: Reading) -> list[Criterion]:
    """Every criterion with its time. Accelerations are not part of the class."""
    return not_known(reading) + _baseline(reading) + _variability(reading) + _decelerations(reading)


def _baseline(reading: Reading) -> list[Criterion]:
    listed = low_rate(reading)
    for low, high, grade, words in (
        (0.0, 100.0, "red", "below 100"),
        (100.0, 110.0, "amber", "below 110"),
        (161.0, 1000.0, "amber", "above 160"),
    ):
        listed += [
            Criterion(grade, f"baseline {level_words(reading, span)}, {words}", span, after_s=600.0)  # type: ignore[arg-type]
            for span in baseline_between(reading, low, high)
        ]
    return listed


def _variability(reading: Reading) -> list[Criterion]:
    listed = []
    amber_s = min(REDUCED_AMBER_S, 0.5 * reading.duration_s)
    for span in reduced_variability(reading):
        if span.length_s > REDUCED_RED_S:
            words = f"variability below 5 bpm for {span.length_s / MINUTE_S:.0f} min, more than 50"
            listed.append(Criterion("red", words, span, after_s=REDUCED_RED_S, topic="reduced"))
        if span.length_s >= amber_s:
            listed.append(Criterion("amber", "variability below 5 bpm", span, after_s=amber_s, topic="reduced"))
            if reading.duration_s <= REDUCED_RED_S:
                words = "whether variability stays reduced for more than 50 min: the trace is shorter"
                listed.append(Criterion("open", words, span, after_s=amber_s))
    for span in increased_variability(reading):
        if span.length_s > INCREASED_RED_S:
            words = f"variability above 25 bpm for {span.length_s / MINUTE_S:.0f} min, more than 30"
            listed.append(Criterion("red", words, span, after_s=INCREASED_RED_S, topic="increased"))
        if span.length_s >= INCREASED_AMBER_S:
            listed.append(
                Criterion("amber", "variability above 25 bpm", span, after_s=INCREASED_AMBER_S, topic="increased")
            )
    for span in reading.sinusoidal:
        if span.length_s > SINUSOIDAL_RED_S:
            words = f"sinusoidal rhythm for {span.length_s / MINUTE_S:.0f} min, more than 30"
            listed.append(Criterion("red", words, span, after_s=SINUSOIDAL_RED_S, topic="sinusoidal"))
        if span.length_s >= SINUSOIDAL_AMBER_S:
            words = "a rhythm that looks sinusoidal"
            listed.append(Criterion("amber", words, span, after_s=SINUSOIDAL_AMBER_S, topic="sinusoidal"))
    whole = Span(max(0.0, reading.duration_s - 3600.0), reading.duration_s)
    if variability_of(reading, whole) is None:
        words = "variability: too little signal outside accelerations and decelerations"
        listed.append(Criterion("open", words, whole))
    return listed


def _decelerations(reading: Reading) -> list[Criterion]:
    listed = []
    for event in reading.decelerations:
        span = Span(event.start_s, event.end_s)
        if event.duration_s > LONG_S:
            lowest = f", lowest {event.lowest_bpm:.0f} bpm" if event.lowest_bpm < EMERGENCY_BPM else ""
            still = ", not recovered" if event.running else ""
            words = f"a deceleration of {event.duration_s / MINUTE_S:.1f} min, more than 5{lowest}{still}"
            listed.append(Criterion("red", words, span, after_s=LONG_S))
        if event.flat_s > 180.0:
            words = f"variability below 5 bpm for {event.flat_s / MINUTE_S:.1f} min inside a deceleration, more than 3"
            listed.append(Criterion("red", words, span, after_s=180.0))
    events = with_shallow(reading)
    grave = [event for event in events if figo_kind(event) in ("late", "prolonged")]
    for repetition in repetitions(reading.contractions, grave):
        width = variability_of(reading, repetition.span)
        reduced = width is not None and width < REDUCED_BPM
        limit = REPETITIVE_REDUCED_S if reduced else REPETITIVE_S
        if repetition.span.length_s > limit:
            also = " and reduced variability" if reduced else ""
            words = f"late or prolonged decelerations {repetition.words}{also} for more than {limit / MINUTE_S:.0f} min"
            listed.append(Criterion("red", words, repetition.span, limit, topic="repeated", repeated=True))
        words = f"late or prolonged decelerations {repetition.words}"
        listed.append(Criterion("amber", words, repetition.span, 300.0, topic="repeated", repeated=True))
    for repetition in repetitions(reading.contractions, events):
        words = f"repetitive decelerations: {repetition.words}"
        listed.append(Criterion("amber", words, repetition.span, 300.0, topic="repeated", repeated=True))
    return listed + _single_late(grave)


def _single_late(grave: list[Deceleration]) -> list[Criterion]:
    """Late decelerations that are not repetitive do not change the class; a reader is told."""
    late = [event for event in grave if figo_kind(event) == "late"]
    return [
        Criterion(
            "open",
            f"{counted(len(group), 'late')}: the class counts them only where they are repetitive",
            Span(group[0].start_s, group[-1].end_s),
            decisive=False,
            repeated=True,
        )
        for group in grouped(late)
    ]
