"""The state from its sources: the worst one speaks, low needs everything, and nothing improves a bad one."""

from dataclasses import replace

import pytest

from models.fusion.state import (
    CANNOT_ASSESS,
    HIGH,
    LOW,
    RAISED,
    RANK,
    UNDECIDED,
    Evidence,
    ScoreState,
    judge,
)
from models.fusion.trace_state import TraceState
from models.growth.dopplers import Dopplers

SCORE = ScoreState("the score of the CTG", 0.05, (0.25, 0.45), certain=True)
WELL = Evidence(trace=TraceState(for_low=("FIGO 2015 normal",)), scores=(SCORE,))


def test_low_says_what_it_rests_on() -> None:
    verdict = judge(WELL)
    assert verdict.state == LOW
    assert verdict.reasons == ("FIGO 2015 normal", "the score of the CTG: 5, below its threshold")


@pytest.mark.parametrize(
    ("evidence", "state", "basis"),
    [
        (replace(WELL, scores=(replace(SCORE, probability=0.3),)), RAISED, "score"),
        (replace(WELL, scores=(replace(SCORE, probability=0.45),)), HIGH, "score"),
        (replace(WELL, scores=(replace(SCORE, certain=False),)), UNDECIDED, "reading"),
        (replace(WELL, scores=(), no_score="the trace is strange"), UNDECIDED, "reading"),
        (replace(WELL, fetuses=2), UNDECIDED, "reading"),
        (replace(WELL, growth_finding="restricted"), RAISED, "growth"),
        (replace(WELL, trace=TraceState(high=(("the trace", "acute bradycardia"),))), HIGH, "the trace"),
        (replace(WELL, trace=TraceState(raised=(("the trace", "tachycardia"),))), RAISED, "the trace"),
        (replace(WELL, trace=TraceState(against_low=(("toco off", "Check it."),))), UNDECIDED, "reading"),
        (replace(WELL, trace=TraceState(unreadable="lost")), CANNOT_ASSESS, "signal loss"),
        (replace(WELL, trace=TraceState(unreadable="lost", raised=(("the trace", "late"),))), RAISED, "the trace"),
        (replace(WELL, trace=None), UNDECIDED, "no trace"),
        (replace(WELL, trace=None, scores=()), CANNOT_ASSESS, "no trace"),
        (Evidence(has_ctg=False), CANNOT_ASSESS, "no CTG"),
        (Evidence(has_ctg=False, growth_finding="restricted"), CANNOT_ASSESS, "no CTG"),
        (Evidence(has_ctg=False, dopplers=Dopplers(umbilical_end_diastolic_flow="reversed")), HIGH, "Doppler"),
        (replace(WELL, dopplers=Dopplers(umbilical_end_diastolic_flow="absent")), RAISED, "Doppler"),
        (replace(WELL, dopplers=Dopplers(ductus_venosus_a_wave="reversed")), HIGH, "Doppler"),
    ],
)
def test_each_source(evidence: Evidence, state: str, basis: str) -> None:
    verdict = judge(evidence)
    assert (verdict.state, verdict.basis) == (state, basis)
    assert verdict.reasons


def test_the_score_with_a_scan_cannot_improve_the_score_of_the_ctg() -> None:
    bad = replace(SCORE, probability=0.5)
    for fused in (0.01, 0.3, 0.9):
        both = replace(WELL, scores=(bad, ScoreState("the score of CTG and scan", fused, (0.2, 0.4), certain=True)))
        assert judge(both).state == HIGH
    unsure = replace(WELL, scores=(replace(SCORE, certain=False), replace(SCORE, words="with scan")))
    assert judge(unsure).state == UNDECIDED


def test_high_keeps_the_reasons_of_raised() -> None:
    trace = TraceState(high=(("the trace", "acute bradycardia"),), raised=(("the trace", "late decelerations"),))
    assert judge(replace(WELL, trace=trace)).reasons == ("acute bradycardia", "late decelerations")


def test_what_would_settle_it_is_said_once() -> None:
    trace = TraceState(against_low=(("a", "Check the tocogram."), ("b", "Check the tocogram."), ("c", "")))
    verdict = judge(replace(WELL, trace=trace))
    assert verdict.reasons == ("a", "b", "c")
    assert verdict.settles == ("Check the tocogram.",)


def test_the_order_of_states() -> None:
    assert RANK[LOW] < RANK[UNDECIDED] == RANK[CANNOT_ASSESS] < RANK[RAISED] < RANK[HIGH]


def test_a_trace_state_survives_being_stored() -> None:
    from dataclasses import asdict

    trace = TraceState((("the trace", "a"),), (("FIGO 2015", "b"),), "lost", (("c", "d"),), ("e",))
    assert TraceState.from_dict(asdict(trace)) == trace
