"""NICE NG229 fetal monitoring in labour, 14 December 2022.

The table was taken second-hand, from a third-party implementation: check the guideline before relying on it.
"""

from models.ctg.contractions import per_ten_minutes
from models.ctg.events import Event
from models.ctg.guidelines.findings import (
    UNRELATED,
    Findings,
    GuidelineClass,
    Judgement,
    Statements,
    kinds,
    recurs,
    unrelated,
)

RULES = "NICE NG229"
SOURCE = "NICE guideline NG229, 14 December 2022 (second-hand: not checked against the guideline)"
LABELS = ("normal", "suspicious", "pathological")
CONCERNING_S = 60.0


def classify(findings: Findings, stated: Statements | None = None) -> GuidelineClass:
    """Normal (all white), suspicious (one amber) or pathological (one red or two amber)."""
    stated = stated or Statements()
    judged = _contractions(findings, stated) + _baseline(findings) + _variability(findings) + _decelerations(findings)
    severity = 2 if judged.red or len(judged.amber) >= 2 else len(judged.amber)
    why = tuple([f"red: {line}" for line in judged.red] + [f"amber: {line}" for line in judged.amber])
    return GuidelineClass(
        RULES, LABELS[severity], severity, why or ("all four features white",), tuple(judged.open), SOURCE
    )


def _contractions(findings: Findings, stated: Statements) -> Judgement:
    judged = Judgement()
    frequent = None
    if findings.contractions is None:
        judged.open.append("contractions: no tocogram")
    else:
        span = min(findings.duration_min, 30.0)
        end = findings.duration_min * 60.0
        frequent = per_ten_minutes(findings.contractions, end - span * 60.0, end)
    if stated.hypertonus:
        judged.amber.append("hypertonus, as stated")
    elif frequent is not None and frequent >= 5:
        if stated.less_rest:
            judged.amber.append(f"{frequent:.1f} contractions in 10 min with less rest between them, as stated")
        elif stated.less_rest is None:
            judged.open.append(f"{frequent:.1f} contractions in 10 min: amber if the uterus rests less between them")
    if stated.hypertonus is None:
        judged.open.append("hypertonus: an external tocogram has no zero")
    return judged


def _baseline(findings: Findings) -> Judgement:
    judged = Judgement()
    level = findings.baseline_bpm
    if level is None:
        judged.amber.append("the baseline cannot be determined")
    elif level < 100 or level > 160:
        judged.red.append(f"baseline {level:.0f} bpm, {'below 100' if level < 100 else 'above 160'}")
    elif level < 110:
        judged.amber.append(f"baseline {level:.0f} bpm, 100-109")
    elif findings.baseline_rise_bpm >= 20:
        judged.amber.append(f"the baseline has risen by {findings.baseline_rise_bpm:.0f} bpm, at least 20")
    return judged


def _variability(findings: Findings) -> Judgement:
    judged = Judgement()
    reduced, increased = findings.reduced_variability_min, findings.increased_variability_min
    if reduced > 50:
        judged.red.append(f"variability below 5 bpm for {reduced:.0f} min, more than 50")
    elif reduced >= 30:
        judged.amber.append(f"variability below 5 bpm for {reduced:.0f} min, 30 to 50")
    if increased > 10:
        judged.red.append(f"variability above 25 bpm for {increased:.0f} min, more than 10")
    elif increased > 0:
        judged.amber.append(f"variability above 25 bpm for {increased:.0f} min, up to 10")
    if findings.sinusoidal_min >= 10:
        judged.red.append(f"sinusoidal rhythm for {findings.sinusoidal_min:.0f} min")
    elif findings.sinusoidal_min > 0:
        judged.open.append("a sinusoidal rhythm of under 10 min: the table gives no duration")
    if findings.variability_bpm is None:
        judged.open.append("variability: no minute with enough signal")
    return judged


def _concerning(event: Event) -> bool:
    return event.kind == "variable" and event.duration_s > CONCERNING_S


def _decelerations(findings: Findings) -> Judgement:
    judged = Judgement()
    prolonged = max((event.duration_s for event in findings.decelerations), default=0.0)
    if prolonged >= 180:
        judged.red.append(f"acute bradycardia or a prolonged deceleration: {prolonged / 60:.1f} min, at least 3")
    if findings.decelerations:
        judged.open.append("variability, return and shouldering within decelerations: only their length is judged")
    if unrelated(findings):
        judged.open.append(UNRELATED)
        return judged
    late, late_min = recurs(findings, kinds("late"), lambda share: share > 0.5)
    variable, variable_min = recurs(findings, _concerning, lambda share: share > 0.5)
    if late_min > 30 or variable_min > 30:
        minutes, name = max((late_min, "late"), (variable_min, "concerning variable"))
        judged.red.append(f"repetitive {name} decelerations for {minutes:.0f} min, more than 30")
    elif late:
        judged.amber.append(f"repetitive late decelerations for {late_min:.0f} min")
    elif variable:
        judged.amber.append(f"repetitive concerning variable decelerations for {variable_min:.0f} min (over 60 s)")
    else:
        long = [event for event in findings.decelerations if _concerning(event)]
        span = (long[-1].end_s - long[0].start_s) / 60.0 if long else 0.0
        if span > 30:
            judged.amber.append(f"concerning variable decelerations (over 60 s) for {span:.0f} min")
    return judged
