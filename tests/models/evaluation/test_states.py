"""States by outcome, and traces that end low."""

import numpy as np

from models.bundle import Bundle
from models.ctg.analysis import analyse
from models.datasets.ctu_uhb import BirthRecord
from models.evaluation.states import by_outcome, ends_below_100, median_at_end, states_of
from models.synthetic.scenes import Scene


def birth(name: str, ph: float, scene: Scene) -> BirthRecord:
    return BirthRecord(name, scene.done(), ph, None, completed_weeks=40.0)


def calm(seed: int) -> Scene:
    return Scene(40, seed).level((0.0, 138.0)).vary(11.0).accelerate()


def test_counts_by_ph() -> None:
    ph = np.array([7.3, 7.2, 7.15, 7.04])
    counts = by_outcome(ph, ["low", "high", "undecided", "high"])
    assert counts["all"] == {"high": 2, "raised": 0, "undecided": 1, "cannot assess": 0, "low": 1}
    assert counts["ph_ge_7_20"]["high"] == 1
    assert counts["ph_le_7_15"] == {"high": 1, "raised": 0, "undecided": 1, "cannot assess": 0, "low": 0}
    assert counts["ph_lt_7_05"]["high"] == 1


def test_a_trace_that_ends_low(bundle: Bundle) -> None:
    records = [
        birth("1", 7.0, calm(1).fall(28, 70, 12)),
        birth("2", 7.3, calm(2)),
        birth("3", 7.3, calm(3).lose(31)),
    ]
    states, severities = states_of(bundle, records, [analyse(record.recording) for record in records])
    assert states[0] == "high"
    assert states[1] == "low"
    assert states[2] in {"undecided", "cannot assess"}
    assert severities[:2] == [2, 0]
    assert ends_below_100(records, states, severities) == {"n": 1, "figo_pathological": 1, "low": 0}
    assert median_at_end(records[2].recording) is None
