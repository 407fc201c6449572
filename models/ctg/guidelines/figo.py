"""FIGO consensus guidelines on intrapartum monitoring, 2015."""

from models.ctg.guidelines.findings import Findings, GuidelineClass, Judgement, cannot, graded, kinds, recurs, unrelated

RULES = "FIGO 2015"
SOURCE = (
    "Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24 (table checked; the numbers of the sinusoidal "
    "pattern recalled, not checked)"
)
LABELS = ("normal", "suspicious", "pathological")


def classify(found: Findings) -> GuidelineClass:
    """Normal, suspicious or pathological. Accelerations are not part of the class."""
    if found.baseline_bpm is None:
        return cannot(RULES, SOURCE)
    judged = Judgement()
    _baseline(found, judged)
    _variability(found, judged)
    _decelerations(found, judged)
    judged.open.append("reduced variability inside decelerations")
    fine = "baseline 110-160 bpm, variability 5-25 bpm, no repetitive decelerations"
    return graded(RULES, LABELS, judged, fine, SOURCE)


def _baseline(found: Findings, judged: Judgement) -> None:
    level = found.baseline_bpm
    assert level is not None
    if level < 100:
        judged.red.append(f"baseline {level:.0f} bpm, below 100")
    elif level < 110:
        judged.amber.append(f"baseline {level:.0f} bpm, below 110")
    elif level > 160:
        judged.amber.append(f"baseline {level:.0f} bpm, above 160")
    elif found.tachycardia_min > 10:
        judged.amber.append(f"tachycardia: baseline above 160 bpm for {found.tachycardia_min:.0f} min")
    elif found.bradycardia_min > 10:
        judged.amber.append(f"bradycardia: baseline below 110 bpm for {found.bradycardia_min:.0f} min")


def _variability(found: Findings, judged: Judgement) -> None:
    width = found.variability_bpm
    if found.reduced_variability_min > 50:
        judged.red.append(f"variability below 5 bpm for {found.reduced_variability_min:.0f} min, more than 50")
    elif width is not None and width < 5:
        judged.amber.append(f"variability {width:.0f} bpm, below 5")
        if found.duration_min <= 50:
            judged.open.append("whether variability stays reduced for more than 50 min: the trace is shorter")
    if found.increased_variability_min > 30:
        judged.red.append(f"variability above 25 bpm for {found.increased_variability_min:.0f} min, more than 30")
    elif width is not None and width > 25:
        judged.amber.append(f"variability {width:.0f} bpm, above 25")
    if found.sinusoidal_min > 30:
        judged.red.append(f"sinusoidal rhythm for {found.sinusoidal_min:.0f} min, more than 30")
    if width is None:
        judged.open.append("variability: no minute with enough signal outside accelerations and decelerations")


def _decelerations(found: Findings, judged: Judgement) -> None:
    longest = max(found.decelerations, key=lambda event: event.duration_s, default=None)
    if longest is not None and longest.duration_s > 300:
        judged.red.append(f"a deceleration of {longest.duration_s / 60:.1f} min, more than 5")
        low = (found.baseline_bpm or 0) - longest.peak
        if low < 80:
            judged.red.append(
                f"it falls to {low:.0f} bpm, below 80: with reduced variability inside it is an emergency"
            )
    if unrelated(found, judged):
        return
    reduced = found.variability_bpm is not None and found.variability_bpm < 5
    limit = 20 if reduced else 30
    _, minutes = recurs(found, kinds("late", "prolonged"), lambda share: share > 0.5)
    if minutes > limit:
        with_reduced = " with reduced variability" if reduced else ""
        judged.red.append(
            f"repetitive late or prolonged decelerations for {minutes:.0f} min{with_reduced}, more than {limit}"
        )
    else:
        repetitive, _ = recurs(found, lambda event: True, lambda share: share > 0.5)
        if repetitive:
            judged.amber.append("repetitive decelerations: with more than half of the contractions")
