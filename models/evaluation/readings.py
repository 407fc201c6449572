"""Agreement of the guidelines' class, and of a model's score, with nine obstetricians on the same windows.

The file of the experts has no licence. It is read for evaluation, and only aggregates leave this module.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from models.ctg.guidelines.criteria import Criterion
from models.ctg.guidelines.figo import FIGO
from models.ctg.guidelines.figo import criteria as figo_criteria
from models.ctg.reading import Reading
from models.datasets.ctu_uhb import BirthRecord, ExpertReading
from models.datasets.panel import majority
from models.evaluation.metrics import bootstrap

WINDOW_S = 1800.0
MIN_EXPERTS = 5
NOT_INTERPRETABLE = -1


def first_stage_windows(record: BirthRecord) -> tuple[tuple[float, float], tuple[float, float]]:
    """The two 30-min windows before the end of the first stage, s; cut at the start of the trace."""
    end = record.second_stage_s if record.second_stage_s is not None else record.recording.duration_s
    return (max(0.0, end - 2 * WINDOW_S), max(0.0, end - WINDOW_S)), (max(0.0, end - WINDOW_S), end)


def by_expert(readings: Sequence[ExpertReading]) -> dict[tuple[str, int], dict[int, int]]:
    """Class by record and window, then by expert; of repeated readings the first one that could be interpreted."""
    table: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for reading in readings:
        for window, grade in enumerate(reading.windows):
            grade_before = table[(reading.record, window)].get(reading.expert, NOT_INTERPRETABLE)
            if grade_before == NOT_INTERPRETABLE:
                table[(reading.record, window)][reading.expert] = grade
    return table


def majority_of_experts(grades: Sequence[int]) -> int | None:
    """The most frequent class of at least five readings; None for a tie, or fewer."""
    return majority([grade for grade in grades if grade != NOT_INTERPRETABLE], MIN_EXPERTS)


def panel_scores(records: Sequence[BirthRecord], readings: Sequence[ExpertReading]) -> NDArray[np.float64]:
    """Mean class (1 to 3) of the last window that at least five experts could read; NaN where there is none."""
    table = by_expert(readings)
    scores = np.full(len(records), np.nan)
    for row, record in enumerate(records):
        for window in (2, 1, 0):
            grades = [g for g in table.get((record.name, window), {}).values() if g != NOT_INTERPRETABLE]
            if len(grades) >= MIN_EXPERTS:
                scores[row] = float(np.mean(grades))
                break
    return scores


@dataclass(frozen=True)
class Window:
    """A 30-min window that a majority of experts and the rules have graded: 1 normal, 2 suspicious, 3 pathological."""

    record: str
    start_s: float
    end_s: float
    majority: int
    rules: int


def graded_windows(
    records: Sequence[BirthRecord], traces: Sequence[Reading], readings: Sequence[ExpertReading]
) -> tuple[list[Window], dict[str, int]]:
    """Windows of the first stage with a grade by both, and how many are left out for which reason."""
    by_window = by_expert(readings)
    excluded: Counter[str] = Counter()
    windows = []
    for record, trace in zip(records, traces, strict=True):
        criteria = figo_criteria(trace)
        for number, (start, end) in enumerate(first_stage_windows(record)):
            agreed = majority_of_experts(list(by_window.get((record.name, number), {}).values()))
            if agreed is None:
                excluded["no majority of at least five"] += 1
                continue
            grade = _figo(criteria, start, end)
            if grade is None:
                excluded["the trace cannot be assessed there"] += 1
                continue
            windows.append(Window(record.name, start, end, agreed, grade))
    return windows, dict(excluded)


def kappa_with_experts(
    records: Sequence[BirthRecord], traces: Sequence[Reading], readings: Sequence[ExpertReading]
) -> dict[str, Any] | None:
    """Unweighted Cohen's kappa of the FIGO class and the experts' majority, windows 1 and 2 pooled.

    Returns
    -------
    dict or None
        ``value`` and ``ci95`` (whole records resampled), ``windows`` compared, ``excluded`` by reason; None
        where there are no readings.
    """
    if not readings:
        return None
    windows, excluded = graded_windows(records, traces, readings)
    if not windows:
        return {"value": None, "ci95": None, "windows": 0, "excluded": excluded}
    mine = np.array([window.rules for window in windows])
    experts = np.array([window.majority for window in windows])

    def kappa(rows: NDArray[np.int64]) -> float:
        if len(np.union1d(mine[rows], experts[rows])) == 1:
            return float("nan")  # one class throughout: agreement beyond chance is not defined
        return float(cohen_kappa_score(mine[rows], experts[rows], labels=[1, 2, 3]))

    names = np.array([window.record for window in windows])
    return bootstrap(names, kappa) | {"windows": len(windows), "excluded": excluded}


def _figo(criteria: Sequence[Criterion], start_s: float, end_s: float) -> int | None:
    """FIGO class at the end of the window, with what counted within half an hour before, as 1, 2, 3."""
    if end_s - start_s < 600.0:
        return None
    severity = FIGO.at(criteria, end_s)
    return None if severity is None else severity + 1
