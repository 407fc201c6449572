"""The library of traces with known content runs end to end: every rule set and every state is one that is allowed."""

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.analysis import analyse
from models.fusion.distress import distress_part
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.risk import assess
from models.fusion.state import LOW, RANK
from models.growth.assessment import Age
from models.growth.measures import AC, FL, HC
from models.synthetic.library import LIBRARY, KnownTrace
from tests.examples import check

SCAN = ScanInput(typed={HC: 331.0, AC: 341.0, FL: 71.0}, age=Age(273, "test"))


def test_it_is_large_and_every_trace_has_a_name() -> None:
    assert len(LIBRARY) >= 60
    assert len({known.name for known in LIBRARY}) == len(LIBRARY)


def test_a_trace_is_the_same_each_time() -> None:
    known = next(known for known in LIBRARY if known.name == "late-reduced")
    first, second = known.make(), known.make()
    np.testing.assert_array_equal(first.fhr_bpm, second.fhr_bpm)


def test_no_trace_with_a_red_finding_may_be_low() -> None:
    for known in LIBRARY:
        if any(allowed == frozenset({2}) for allowed in known.rules):
            assert LOW not in known.states, known.name


@pytest.mark.slow
@pytest.mark.parametrize("known", LIBRARY, ids=lambda known: known.name)
def test_the_answer_is_allowed(bundle: Bundle, known: KnownTrace) -> None:
    ctg = CtgInput(analysis=analyse(known.make()), stage=known.stage, age_days=known.age_days)
    judged = distress_part(bundle, ctg, lead_time=False)
    answer = check(assess(bundle, ctg, None, judged=judged))
    assert answer.state in known.states, answer.state_reasons
    severities = [answer["severity"] for answer in judged.part.detail["guidelines"]]
    if known.stage != "antepartum":
        for severity, allowed, rules in zip(severities[:3], known.rules, ("FIGO", "NICHD", "NICE"), strict=True):
            assert severity in allowed, rules
    with_scan = check(assess(bundle, ctg, SCAN, judged=judged))
    assert RANK[with_scan.state] >= RANK[answer.state]
