"""Properties of the state over generated traces: what makes a trace worse never makes its state better."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle, shipped
from models.ctg.analysis import analyse
from models.ctg.recording import CtgRecording
from models.fusion.distress import distress_part
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.risk import assess
from models.fusion.state import LOW, RANK
from models.growth.assessment import Age
from models.growth.measures import AC, FL, HC
from models.synthetic.scenes import Scene

pytestmark = pytest.mark.slow
BUNDLE = Bundle(shipped())
NORMAL_SCAN = ScanInput(typed={HC: 331.0, AC: 341.0, FL: 71.0}, age=Age(273, "test"))
seeds = st.integers(0, 10_000)
few = settings(max_examples=12, deadline=None, derandomize=True)


def state(recording: CtgRecording, scan: ScanInput | None = None, stage: str = "labour") -> str:
    """State of a trace at term."""
    ctg = CtgInput(analysis=analyse(recording), stage=stage, age_days=273)
    return assess(BUNDLE, ctg, scan, judged=distress_part(BUNDLE, ctg, lead_time=False)).state


def scene(seed: int, variability: float = 10.0) -> Scene:
    """Forty minutes, normal, with a baseline that depends on the seed."""
    return Scene(40, seed).level((0.0, 122.0 + seed % 30)).vary(variability)


TROUBLES: tuple[Callable[[Scene], Scene], ...] = (
    lambda s: s,
    lambda s: s.late(30, start_min=15),
    lambda s: s.variable(50, 40),
    lambda s: s.fall(33, 80, 7),
    lambda s: s.fall(20, 75, 5),
)


@few
@given(seed=seeds, trouble=st.sampled_from(TROUBLES))
def test_a_normal_scan_never_improves_it(seed: int, trouble: Callable[[Scene], Scene]) -> None:
    recording = trouble(scene(seed).accelerate()).done()
    assert RANK[state(recording, NORMAL_SCAN)] >= RANK[state(recording)]


@few
@given(seed=seeds, minutes=st.sampled_from([(1.0, 4.0), (4.0, 7.0), (7.0, 12.0), (12.0, 18.0)]))
def test_a_longer_fall_never_improves_it(seed: int, minutes: tuple[float, float]) -> None:
    shorter, longer = (state(scene(seed).fall(40 - length, 76, length).done()) for length in minutes)
    assert RANK[longer] >= RANK[shorter]


@few
@given(seed=seeds, rates=st.sampled_from([(112, 98), (98, 84), (84, 66), (66, 44)]), recovered=st.booleans())
def test_a_deeper_fall_never_improves_it(seed: int, rates: tuple[float, float], recovered: bool) -> None:
    start = 24.0 if recovered else 34.0
    shallow, deep = (state(scene(seed).fall(start, rate, 6.0).done()) for rate in rates)
    assert RANK[deep] >= RANK[shallow]


@few
@given(seed=seeds, depths=st.sampled_from([(0.0, 18.0), (18.0, 30.0), (30.0, 50.0)]))
def test_deeper_late_decelerations_never_improve_it(seed: int, depths: tuple[float, float]) -> None:
    shallow, deep = (state(scene(seed).late(depth, start_min=10).done()) for depth in depths)
    assert RANK[deep] >= RANK[shallow]


@few
@given(seed=seeds, widths=st.sampled_from([(20.0, 10.0), (10.0, 6.0), (6.0, 3.0), (3.0, 1.0)]), late=st.booleans())
def test_less_variability_never_improves_it(seed: int, widths: tuple[float, float], late: bool) -> None:
    depth = 28.0 if late else 0.0
    more, less = (state(scene(seed, width).late(depth).done()) for width in widths)
    assert RANK[less] >= RANK[more]


@few
@given(seed=seeds, lost=st.sampled_from([(0.0, 6.0), (10.0, 22.0), (30.0, 40.0), (34.5, 40.0)]))
def test_removed_signal_never_yields_low(seed: int, lost: tuple[float, float]) -> None:
    whole = state(scene(seed).late(start_min=5).done())
    part = state(scene(seed).late(start_min=5).lose(*lost).done())
    assert whole != LOW
    assert part != LOW


@few
@given(seed=seeds, trouble=st.sampled_from(TROUBLES), value=st.sampled_from([None, 0.0, 13.0, 127.0]))
def test_without_its_tocogram_no_trace_is_low(
    seed: int, trouble: Callable[[Scene], Scene], value: float | None
) -> None:
    assert state(trouble(scene(seed).accelerate()).tocogram_off(value).done()) != LOW


@few
@given(seed=seeds, early=st.sampled_from([(0.0, 8.0), (5.0, 15.0)]))
def test_losing_an_early_part_does_not_hide_a_fall_at_the_end(seed: int, early: tuple[float, float]) -> None:
    recording = scene(seed).fall(33, 78, 7).lose(*early).done()
    assert state(recording) == "high"


@pytest.mark.parametrize("value", [140.0, np.nan])
def test_one_value_or_none_is_never_low(value: float) -> None:
    made = Scene(60, 1)
    made.heart[:] = value
    assert state(made.done()) == "cannot assess"
