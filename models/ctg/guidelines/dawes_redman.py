"""Dawes-Redman criteria of normality for antepartum traces, as far as their tables are available.

Checked against the Sonicaid manuals. The gestation-dependent centiles of variation are not available: the user states
whether there was an episode of high variation. Without this statement the criteria are never called met.
"""

import numpy as np

from models.ctg.guidelines.criteria import CANNOT_TELL, GuidelineClass
from models.ctg.guidelines.measures import not_known
from models.ctg.guidelines.statements import Statements
from models.ctg.reading import Reading

RULES = "Dawes-Redman"
SOURCE = "Huntleigh Sonicaid manuals (checked; centile tables of variation not available)"
MIN_DURATION_S = 600.0
MIN_STV_MS = 3.0
LATER_S = 1800.0
REPEATED = 2


def lost_beats(area_bpm_s: float) -> float:
    """Size of a deceleration in lost beats: its area in bpm times seconds, divided by 60."""
    return area_bpm_s / 60.0


def classify(reading: Reading, stated: Statements | None = None) -> GuidelineClass:
    """Met, not met, or not judged. Short-term variation is measured outside the minutes with a deceleration."""
    level = float(np.nanmedian(reading.baseline_bpm)) if np.isfinite(reading.baseline_bpm).any() else None
    if level is None or reading.duration_s < MIN_DURATION_S:
        why = "the criteria are first tested at 10 min" if level else "the baseline cannot be determined"
        return GuidelineClass(RULES, CANNOT_TELL, None, (why,), (), SOURCE)
    failed, unknown = _judge(reading, level, stated or Statements())
    unknown += [criterion.words for criterion in not_known(reading) if criterion.counts(reading.duration_s)]
    if failed:
        grave = any(line.endswith(": urgent") for line in failed)
        return GuidelineClass(RULES, "criteria not met", 2 if grave else 1, tuple(failed), tuple(unknown), SOURCE)
    if unknown:
        unsure = ("not called met: see what could not be judged",)
        return GuidelineClass(RULES, "not judged", None, unsure, tuple(unknown), SOURCE)
    return GuidelineClass(RULES, "criteria met", 0, ("all criteria met",), (), SOURCE)


def _judge(reading: Reading, level: float, stated: Statements) -> tuple[list[str], list[str]]:
    failed, unknown = [], []
    variation = reading.short_term_variation_ms
    if not 116 <= round(level) <= 160:
        failed.append(f"basal heart rate {level:.0f} bpm, outside 116-160")
    if variation is None:
        unknown.append("short-term variation: too little signal outside decelerations, or under 2 Hz")
    elif variation < MIN_STV_MS:
        failed.append(f"short-term variation {variation:.1f} ms, below 3")
    limit = 100 if reading.duration_s > LATER_S else 20
    largest = max((lost_beats(event.area_bpm_s) for event in reading.decelerations), default=0.0)
    if largest > limit:
        failed.append(f"a deceleration of {largest:.0f} lost beats, more than {limit}")
    if any(event.running for event in reading.decelerations):
        failed.append("a deceleration at the end of the trace: urgent")
    if len(reading.decelerations) >= REPEATED:
        failed.append(f"{len(reading.decelerations)} decelerations in a trace without labour: urgent")
    if reading.sinusoidal and max(span.length_s for span in reading.sinusoidal) >= MIN_DURATION_S:
        failed.append("a sinusoidal rhythm")
    ups = len(reading.accelerations)
    if ups < 3 and not stated.fetal_movements:
        if stated.fetal_movements is None:
            unknown.append(f"{ups} accelerations, fewer than 3: a fetal movement would do, none was stated")
        else:
            failed.append(f"no fetal movement and {ups} accelerations, fewer than 3")
    if stated.high_variation is None:
        unknown.append("an episode of high variation above the 1st centile for the gestation: table not available")
    elif not stated.high_variation:
        failed.append("no episode of high variation, as stated")
    if ups == 0:
        unknown.append(
            "no acceleration; variation above the 10th centile with over 20 movements would do: table not available"
        )
    return failed, unknown
