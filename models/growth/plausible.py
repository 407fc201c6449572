"""Whether a measure can be that of a fetus of the known age at all: else scale, unit or age is wrong.

The limits are far outside disease: growth restriction, microcephaly and short bones stay inside them. A measure beyond
them is not judged, whatever it comes from: model, outline, calliper or keyboard.
"""

from collections.abc import Mapping

import numpy as np

from models.growth.biometry_standards import BIOMETRY
from models.growth.measures import FL, LABELS, RANGES, Measured

# Standard deviations from the median. Bones of a lethal dysplasia reach about -8.
MAX_Z, MAX_Z_FEMUR = 6.0, 10.0
CHECK = "check scale and age"


def beyond_range(measure: str, value: float) -> str | None:
    """Why a value in mm is no measure of a fetus; None where it can be one."""
    low, high = RANGES[measure]
    if low <= value <= high:
        return None
    return f"{LABELS[measure].lower()} {value:.0f} mm is outside {low} to {high} mm: check the scale"


def against_age(measures: Mapping[str, Measured], age_days: float) -> dict[str, float]:
    """The measures that contradict the age, with their z-scores.

    The chart's nearest age is taken where the age lies outside the chart.
    """
    beyond = {}
    for name, measured in measures.items():
        chart = BIOMETRY.get(name)
        if chart is None:
            continue
        weeks = float(np.clip(age_days / 7.0, chart.first_week, chart.last_week))
        z = chart.curve.score(measured.value, weeks)
        if not np.isfinite(z) or abs(z) > (MAX_Z_FEMUR if name == FL else MAX_Z):
            beyond[name] = z
    return beyond


def words(measures: Mapping[str, Measured], beyond: Mapping[str, float], age_days: float) -> str:
    """One sentence about the measures that contradict the age."""
    named = [f"{LABELS[name].lower()} {measures[name].value:.0f} mm ({z:+.0f} SD)" for name, z in beyond.items()]
    return f"{CHECK}: {' and '.join(named)} cannot be at {int(age_days) // 7}+{int(age_days) % 7} weeks"
