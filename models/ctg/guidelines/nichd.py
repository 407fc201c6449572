"""NICHD workshop on electronic fetal monitoring, 2008: three categories."""

from dataclasses import replace

from models.ctg.events import Event
from models.ctg.guidelines.findings import (
    Findings,
    GuidelineClass,
    Judgement,
    Statements,
    cannot,
    graded,
    kinds,
    recurs,
    unrelated,
)

RULES = "NICHD 2008"
SOURCE = (
    "Macones GA et al. Obstet Gynecol 2008;112:661-666 (checked; the duration of the sinusoidal pattern recalled, "
    "not checked)"
)
LABELS = ("category I", "category II", "category III")
RECURRENT_WINDOW_MIN = 20.0


def classify(found: Findings, stated: Statements | None = None) -> GuidelineClass:
    """Category I, II or III.

    Absent variability cannot be told from minimal by a bandwidth; it is taken from `stated`.
    """
    level = found.baseline_bpm
    if level is None:
        return cannot(RULES, SOURCE)
    stated = stated or Statements()
    found = replace(found, decelerations=tuple(_named(event) for event in found.decelerations))
    judged = Judgement()
    width = found.variability_bpm
    related = not unrelated(found, judged)
    late, variable = (_recurrent(found, kind) for kind in ("late", "variable"))
    bradycardia = level < 110
    if found.sinusoidal_min >= 20:
        judged.red.append(f"sinusoidal rhythm for {found.sinusoidal_min:.0f} min, at least 20")
    grave = [
        name
        for name, present in (
            ("late decelerations", late),
            ("variable decelerations", variable),
            ("bradycardia", bradycardia),
        )
        if present
    ]
    minimal = width is not None and width <= 5
    if minimal and grave:
        recurrent = [name if name == "bradycardia" else f"recurrent {name}" for name in grave]
        if stated.absent_variability:
            judged.red.append(f"absent variability with {' and '.join(recurrent)}")
        elif stated.absent_variability is None:
            judged.open.append(
                f"whether variability is absent; with {' and '.join(recurrent)} that would be category III"
            )
    _lesser(found, judged, related)
    fine = "baseline 110-160 bpm, moderate variability, no late, variable or prolonged decelerations"
    return graded(RULES, LABELS, judged, fine, SOURCE)


def _named(event: Event) -> Event:
    """Prolonged from 2 min on here, where FIGO says over 3; a shorter one is what its onset makes it."""
    return replace(event, kind="prolonged") if event.duration_s >= 120 else event


def _recurrent(found: Findings, kind: str) -> bool:
    """With at least half of the contractions in any 20 min (in the whole stretch where it is shorter)."""
    whole, minutes = recurs(found, kinds(kind), lambda share: share >= 0.5)
    return minutes >= RECURRENT_WINDOW_MIN or (whole and found.duration_min <= RECURRENT_WINDOW_MIN)


def _lesser(found: Findings, judged: Judgement, related: bool) -> None:
    level, width = found.baseline_bpm, found.variability_bpm
    assert level is not None
    if level < 110 or level > 160:
        judged.amber.append(f"baseline {level:.0f} bpm, outside 110-160")
    if width is None:
        judged.amber.append("variability cannot be measured")
    elif width <= 5:
        judged.amber.append(f"minimal variability: {width:.0f} bpm, at most 5")
    elif width > 25:
        judged.amber.append(f"marked variability: {width:.0f} bpm, above 25")
    for kind in ("late", "variable", "prolonged"):
        number = sum(event.kind == kind for event in found.decelerations)
        if number:
            judged.amber.append(f"{number} {kind} deceleration{'s' if number > 1 else ''}")
    gradual = sum(event.kind == "gradual" for event in found.decelerations)
    if gradual:
        why = "no contraction belongs to them" if related else "there is no tocogram"
        judged.amber.append(f"{gradual} gradual deceleration{'s' if gradual > 1 else ''}, late or early: {why}")
