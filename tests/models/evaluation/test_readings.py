"""Guideline classes beside scripted readings of scripted experts."""

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.reading import read
from models.datasets.ctu_uhb import BirthRecord, ExpertReading
from models.evaluation.readings import by_expert, first_stage_windows, kappa_with_experts, majority_of_experts
from models.synthetic.traces import trace
from studies.traces.study import last_readings


def record(name: str, *, late: bool, seed: int) -> BirthRecord:
    made = trace(minutes=70, accelerations=0 if late else 6, late_decelerations=late, seed=seed).recording
    return BirthRecord(name, made, 7.2, 4000.0)


def test_windows_end_with_the_first_stage() -> None:
    one = record("1", late=False, seed=1)
    assert first_stage_windows(one) == ((400.0, 2200.0), (2200.0, 4000.0))
    without = BirthRecord("1", one.recording.part(0, 2400), 7.2, None)
    assert first_stage_windows(without) == ((0.0, 600.0), (600.0, 2400.0))


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ([1, 1, 1, 2, 3], 1),
        ([1, 1, 2, 2, 3], None),
        ([1, 1, 1, 1], None),
        ([1, 1, 1, -1, -1, 2, 2], 1),
        ([3] * 9, 3),
        ([], None),
    ],
)
def test_majority_of_at_least_five_without_ties(grades: list[int], expected: int | None) -> None:
    assert majority_of_experts(grades) == expected


def test_repeats_collapse_to_the_first_that_could_be_read() -> None:
    readings = [ExpertReading("r", 1, (-1, 2, -1)), ExpertReading("r", 1, (3, 1, -1))]
    table = by_expert(readings)
    assert table[("r", 0)] == {1: 3}
    assert table[("r", 1)] == {1: 2}
    assert last_readings(readings) == {"r": {1: 2}}


@pytest.mark.slow
def test_kappa_of_agreement_and_what_was_excluded() -> None:
    records = [record(f"{i}", late=i % 2 == 1, seed=i) for i in range(4)]
    traces = [read(analyse(one.recording)) for one in records]
    readings = [
        ExpertReading(one.name, expert, (1, 1, -1) if int(one.name) % 2 == 0 else (3, 3, -1))
        for one in records
        for expert in range(6)
    ]
    made = kappa_with_experts(records, traces, readings)
    assert made is not None
    assert made["value"] == pytest.approx(1.0)
    assert made["windows"] == 8
    fewer = [reading for reading in readings if reading.record != "3" or reading.expert < 4]
    made = kappa_with_experts(records, traces, fewer)
    assert made is not None
    assert (made["windows"], made["excluded"]) == (6, {"no majority of at least five": 2})
    assert kappa_with_experts(records, traces, []) is None


def test_a_refused_trace_is_excluded_not_guessed() -> None:
    lost = record("0", late=False, seed=0)
    lost.recording.fhr_bpm[:] = np.nan
    readings = [ExpertReading("0", expert, (1, 1, 1)) for expert in range(6)]
    made = kappa_with_experts([lost], [read(analyse(lost.recording))], readings)
    assert made is not None
    assert made["value"] is None
    assert made["excluded"] == {"the trace cannot be assessed there": 2}
