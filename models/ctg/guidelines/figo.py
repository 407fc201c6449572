"""FIGO consensus guidelines on intrapartum monitoring, 2015."""

from models.ctg.guidelines.findings import (
    UNRELATED,
    Findings,
    GuidelineClass,
    Judgement,
    cannot,
    graded,
    kinds,
    recurs,
    unrelated,
)

RULES = "FIGO 2015"
SOURCE = (
    "Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24 (table checked; the numbers of the sinusoidal "
    "pattern quoted from memory, not checked)"
)
LABELS = ("normal", "suspicious", "pathological")


def classify(findings: Findings) -> GuidelineClass:
    """Normal, suspicious or pathological. Accelerations are not part of the class."""
    if findings.baseline_bpm is None:
        return cannot(RULES, SOURCE)
    judged = _baseline(findings) + _variability(findings) + _decelerations(findings)
    judged.open.append("reduced variability inside decelerations")
    fine = "baseline 110-160 bpm, variability 5-25 bpm, no repetitive decelerations"
    return graded(RULES, LABELS, judged, fine, SOURCE)


def _baseline(findings: Findings) -> Judgement:
    judged = Judgement()
    level = findings.baseline_bpm
    assert level is not None
    if level < 100:
        judged.red.append(f"baseline {level:.0f} bpm, below 100")
    elif level < 110:
        judged.amber.append(f"baseline {level:.0f} bpm, below 110")
    elif level > 160:
        judged.amber.append(f"baseline {level:.0f} bpm, above 160")
    elif findings.tachycardia_min > 10:
        judged.amber.append(f"tachycardia: baseline above 160 bpm for {findings.tachycardia_min:.0f} min")
    elif findings.bradycardia_min > 10:
        judged.amber.append(f"bradycardia: baseline below 110 bpm for {findings.bradycardia_min:.0f} min")
    return judged


def _variability(findings: Findings) -> Judgement:
    judged = Judgement()
    width = findings.variability_bpm
    if findings.reduced_variability_min > 50:
        judged.red.append(f"variability below 5 bpm for {findings.reduced_variability_min:.0f} min, more than 50")
    elif width is not None and width < 5:
        judged.amber.append(f"variability {width:.0f} bpm, below 5")
        if findings.duration_min <= 50:
            judged.open.append("whether variability stays reduced for more than 50 min: the trace is shorter")
    if findings.increased_variability_min > 30:
        judged.red.append(f"variability above 25 bpm for {findings.increased_variability_min:.0f} min, more than 30")
    elif width is not None and width > 25:
        judged.amber.append(f"variability {width:.0f} bpm, above 25")
    if findings.sinusoidal_min > 30:
        judged.red.append(f"sinusoidal rhythm for {findings.sinusoidal_min:.0f} min, more than 30")
    if width is None:
        judged.open.append("variability: no minute with enough signal outside accelerations and decelerations")
    return judged


def _decelerations(findings: Findings) -> Judgement:
    judged = Judgement()
    longest = max(findings.decelerations, key=lambda event: event.duration_s, default=None)
    if longest is not None and longest.duration_s > 300:
        judged.red.append(f"a deceleration of {longest.duration_s / 60:.1f} min, more than 5")
        low = (findings.baseline_bpm or 0) - longest.peak
        if low < 80:
            judged.red.append(
                f"it falls to {low:.0f} bpm, below 80: with reduced variability inside it is an emergency"
            )
    if unrelated(findings):
        judged.open.append(UNRELATED)
        return judged
    reduced = findings.variability_bpm is not None and findings.variability_bpm < 5
    limit = 20 if reduced else 30
    _, minutes = recurs(findings, kinds("late", "prolonged"), lambda share: share > 0.5)
    if minutes > limit:
        with_reduced = " with reduced variability" if reduced else ""
        judged.red.append(
            f"repetitive late or prolonged decelerations for {minutes:.0f} min{with_reduced}, more than {limit}"
        )
    else:
        repetitive, _ = recurs(findings, lambda event: True, lambda share: share > 0.5)
        if repetitive:
            judged.amber.append("repetitive decelerations: with more than half of the contractions")
    return judged
