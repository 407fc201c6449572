"""NICHD workshop on electronic fetal monitoring, 2008: three categories."""

from dataclasses import replace

from models.ctg.events import Event
from models.ctg.guidelines.findings import (
    UNRELATED,
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
    "Macones GA et al. Obstet Gynecol 2008;112:661-666 (checked; the duration of the sinusoidal pattern quoted "
    "from memory, not checked)"
)
LABELS = ("category I", "category II", "category III")
RECURRENT_WINDOW_MIN = 20.0


def classify(findings: Findings, stated: Statements | None = None) -> GuidelineClass:
    """Category I, II or III.

    A bandwidth cannot distinguish absent from minimal variability, so absence is taken from `stated`.
    """
    level = findings.baseline_bpm
    if level is None:
        return cannot(RULES, SOURCE)
    stated = stated or Statements()
    findings = replace(findings, decelerations=tuple(_named(event) for event in findings.decelerations))
    judged = Judgement()
    width = findings.variability_bpm
    related = not unrelated(findings)
    if not related:
        judged.open.append(UNRELATED)
    late, variable = (_recurrent(findings, kind) for kind in ("late", "variable"))
    bradycardia = level < 110
    if findings.sinusoidal_min >= 20:
        judged.red.append(f"sinusoidal rhythm for {findings.sinusoidal_min:.0f} min, at least 20")
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
    judged += _lesser(findings, related)
    fine = "baseline 110-160 bpm, moderate variability, no late, variable or prolonged decelerations"
    return graded(RULES, LABELS, judged, fine, SOURCE)


def _named(event: Event) -> Event:
    """Name a deceleration of 2 min or more prolonged (FIGO: more than 3 min). A shorter one keeps its kind."""
    return replace(event, kind="prolonged") if event.duration_s >= 120 else event


def _recurrent(findings: Findings, kind: str) -> bool:
    """With at least half of the contractions in any 20 min (in the whole stretch where it is shorter)."""
    whole, minutes = recurs(findings, kinds(kind), lambda share: share >= 0.5)
    return minutes >= RECURRENT_WINDOW_MIN or (whole and findings.duration_min <= RECURRENT_WINDOW_MIN)


def _lesser(findings: Findings, related: bool) -> Judgement:
    """Criteria of category II."""
    judged = Judgement()
    level, width = findings.baseline_bpm, findings.variability_bpm
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
        number = sum(event.kind == kind for event in findings.decelerations)
        if number:
            judged.amber.append(f"{number} {kind} deceleration{'s' if number > 1 else ''}")
    gradual = sum(event.kind == "gradual" for event in findings.decelerations)
    if gradual:
        why = "no contraction belongs to them" if related else "there is no tocogram"
        judged.amber.append(f"{gradual} gradual deceleration{'s' if gradual > 1 else ''}, late or early: {why}")
    return judged
