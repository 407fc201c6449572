"""States of labour traces by outcome, as the product gives them, and what it says of traces that end low."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.ctg.analysis import CtgAnalysis
from models.ctg.recording import CtgRecording
from models.datasets.ctu_uhb import BirthRecord
from models.fusion.distress import distress_part
from models.fusion.inputs import CtgInput
from models.fusion.risk import assess
from models.fusion.state import LOW, STATES

LAST_S, LEAST_READABLE, BELOW_BPM = 600.0, 0.2, 100.0


def states_of(
    bundle: Bundle, records: Sequence[BirthRecord], analyses: Sequence[CtgAnalysis]
) -> tuple[list[str], list[int | None]]:
    """State and FIGO severity of each record: the CTG alone, stated as labour, with the age of the record."""
    states, severities = [], []
    for record, analysis in zip(records, analyses, strict=True):
        weeks = record.completed_weeks
        ctg = CtgInput(analysis=analysis, stage="labour", age_days=7 * weeks if np.isfinite(weeks) else None)
        judged = distress_part(bundle, ctg, lead_time=False)
        states.append(assess(bundle, ctg, None, judged=judged).state)
        severities.append(judged.part.detail["guidelines"][0]["severity"])
    return states, severities


def by_outcome(ph: NDArray[np.float64], states: Sequence[str]) -> dict[str, dict[str, int]]:
    """Number of records in each state, for all and by pH."""
    groups = {"all": ph > 0, "ph_ge_7_20": ph >= 7.20, "ph_le_7_15": ph <= 7.15, "ph_lt_7_05": ph < 7.05}
    chosen = np.array(states)
    return {name: {state: int((chosen[rows] == state).sum()) for state in STATES} for name, rows in groups.items()}


def median_at_end(recording: CtgRecording) -> float | None:
    """Median of the raw rate over the readable part of the last 10 min; None with less than 20 % of it readable."""
    part = recording.part(recording.duration_s - LAST_S, recording.duration_s).fhr_bpm
    present = part[np.isfinite(part)]
    return float(np.median(present)) if len(present) >= LEAST_READABLE * len(part) and len(part) else None


def ends_below_100(
    records: Sequence[BirthRecord], states: Sequence[str], severities: Sequence[int | None]
) -> dict[str, Any]:
    """Records whose last ten minutes have a median below 100 bpm: how many are pathological by FIGO, and low."""
    rows = [
        (state, severity)
        for record, state, severity in zip(records, states, severities, strict=True)
        if (level := median_at_end(record.recording)) is not None and level < BELOW_BPM
    ]
    counts = Counter(state for state, _ in rows)
    return {
        "n": len(rows),
        "figo_pathological": sum(severity == 2 for _, severity in rows),
        "low": counts[LOW],
    }
