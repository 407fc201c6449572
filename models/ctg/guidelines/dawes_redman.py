"""Dawes-Redman criteria of normality for antepartum traces, as far as their tables are available.

Checked against the Sonicaid manuals. The gestation-dependent centiles of variation are not available: the user states
whether there was an episode of high variation. Without this statement the criteria are never called met.
"""

from models.ctg.guidelines.findings import Findings, GuidelineClass, Statements

RULES = "Dawes-Redman"
SOURCE = "Huntleigh Sonicaid manuals (checked; centile tables of variation not available)"
MIN_DURATION_MIN = 10.0
MIN_STV_MS = 3.0
LATER_MIN = 30.0


def lost_beats(area_bpm_s: float) -> float:
    """Size of a deceleration in lost beats: its area in bpm times seconds, divided by 60."""
    return area_bpm_s / 60.0


def classify(findings: Findings, stage: str, stated: Statements | None = None) -> GuidelineClass:
    """Met, not met, or not judged; never for a labour trace."""
    if stage == "labour":
        return GuidelineClass(
            RULES, "not for labour", None, ("the criteria are for antepartum traces only",), (), SOURCE
        )
    if findings.baseline_bpm is None or findings.duration_min < MIN_DURATION_MIN:
        why = (
            "the criteria are first tested at 10 min" if findings.baseline_bpm else "the baseline cannot be determined"
        )
        return GuidelineClass(RULES, "cannot assess", None, (why,), (), SOURCE)
    stated = stated or Statements()
    failed, unknown = _judge(findings, findings.baseline_bpm, stated)
    if failed:
        return GuidelineClass(RULES, "criteria not met", 1, tuple(failed), tuple(unknown), SOURCE)
    if unknown:
        nothing = ("nothing that can be judged speaks against them",)
        return GuidelineClass(RULES, "not judged: table not available", None, nothing, tuple(unknown), SOURCE)
    return GuidelineClass(RULES, "criteria met", 0, ("all criteria met",), (), SOURCE)


def _judge(findings: Findings, level: float, stated: Statements) -> tuple[list[str], list[str]]:
    failed, unknown = [], []
    if not 116 <= level <= 160:
        failed.append(f"basal heart rate {level:.0f} bpm, outside 116-160")
    if findings.short_term_variation_ms is None:
        unknown.append("short-term variation: too little signal, or under 2 Hz")
    elif findings.short_term_variation_ms < MIN_STV_MS:
        failed.append(f"short-term variation {findings.short_term_variation_ms:.1f} ms, below 3")
    limit = 100 if findings.duration_min > LATER_MIN else 20
    largest = max((lost_beats(event.area_bpm_s) for event in findings.decelerations), default=0.0)
    if largest > limit:
        failed.append(f"a deceleration of {largest:.0f} lost beats, more than {limit}")
    if findings.decelerations and findings.decelerations[-1].end_s >= findings.duration_min * 60.0 - 1.0:
        failed.append("a deceleration at the end of the trace")
    if findings.sinusoidal_min > 0:
        failed.append("a sinusoidal rhythm")
    if findings.accelerations < 3 and not stated.fetal_movements:
        if stated.fetal_movements is None:
            unknown.append(
                f"{findings.accelerations} accelerations, fewer than 3: a fetal movement would do, none was stated"
            )
        else:
            failed.append(f"no fetal movement and {findings.accelerations} accelerations, fewer than 3")
    if stated.high_variation is None:
        unknown.append("an episode of high variation above the 1st centile for the gestation: table not available")
    elif not stated.high_variation:
        failed.append("no episode of high variation, as stated")
    if findings.accelerations == 0:
        unknown.append(
            "no acceleration; variation above the 10th centile with over 20 movements would do: table not available"
        )
    return failed, unknown
