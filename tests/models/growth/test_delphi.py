"""The consensus criteria: cases on both sides of every limit, and the effect of unknown findings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.growth.delphi import CANNOT_ASSESS, MET, NOT_EXCLUDED, NOT_MET, at_least, delphi
from models.growth.dopplers import Dopplers

EARLY, LATE = 31 * 7 + 6, 32 * 7
CALM = {"ua": False, "uta": False, "cpr": False, "flow": "present"}


def dopplers(**flags: object) -> Dopplers:
    return Dopplers(
        umbilical_artery_pi_above_95th=flags.get("ua"),  # type: ignore[arg-type]
        uterine_artery_pi_above_95th=flags.get("uta"),  # type: ignore[arg-type]
        cerebroplacental_ratio_below_5th=flags.get("cpr"),  # type: ignore[arg-type]
        umbilical_end_diastolic_flow=flags.get("flow"),  # type: ignore[arg-type]
    )


# Age, AC centile, EFW centile, Dopplers, centiles lost, verdict.
VECTORS = [
    # Early: one solitary criterion is enough.
    (EARLY, 2.9, 50, CALM, None, MET),
    (EARLY, 50, 2.9, CALM, None, MET),
    (EARLY, 2.9, None, {}, None, MET),
    (EARLY, None, 2.9, {}, None, MET),
    (EARLY, 50, 50, CALM | {"ua": None, "flow": "absent"}, None, MET),
    (EARLY, 50, 50, CALM | {"ua": None, "flow": "reversed"}, None, MET),
    (EARLY, None, None, {"flow": "absent"}, None, MET),
    (EARLY, 3.0, 50, CALM, None, NOT_MET),
    (EARLY, 50, 3.0, CALM, None, NOT_MET),
    # Early: small, and an abnormal Doppler finding.
    (EARLY, 9.9, 50, CALM | {"ua": True}, None, MET),
    (EARLY, 50, 9.9, CALM | {"ua": True}, None, MET),
    (EARLY, 9.9, 50, CALM | {"uta": True}, None, MET),
    (EARLY, 50, 9.9, CALM | {"uta": True}, None, MET),
    (EARLY, 9.9, 50, CALM, None, NOT_MET),
    (EARLY, 10.0, 10.0, CALM | {"ua": True, "uta": True}, None, NOT_MET),
    (EARLY, 9.9, None, {"ua": True}, None, MET),
    (EARLY, 50, 50, CALM | {"cpr": True}, None, NOT_MET),
    (EARLY, 50, 50, CALM, 80, NOT_MET),
    # Early: unknown findings.
    (EARLY, 9.9, 50, {"flow": "present"}, None, NOT_EXCLUDED),
    (EARLY, 50, 50, {"ua": False, "uta": False}, None, NOT_EXCLUDED),
    (EARLY, 50, None, CALM, None, NOT_EXCLUDED),
    (EARLY, 50, 50, {"flow": "present"}, None, NOT_MET),
    (EARLY, None, None, CALM, None, CANNOT_ASSESS),
    (EARLY, None, None, {}, None, CANNOT_ASSESS),
    # Late: one solitary criterion is enough; end-diastolic flow is no criterion.
    (LATE, 2.9, 50, CALM, 0, MET),
    (LATE, 50, 2.9, CALM, 0, MET),
    (LATE, 3.0, 50, CALM, 0, NOT_MET),
    (LATE, 50, 50, CALM | {"ua": None, "flow": "absent"}, 0, NOT_MET),
    # Late: two of three.
    (LATE, 9.9, 50, CALM | {"cpr": True}, 0, MET),
    (LATE, 9.9, 50, CALM | {"ua": True}, 0, MET),
    (LATE, 50, 9.9, CALM, 50.1, MET),
    (LATE, 50, 50, CALM | {"ua": True}, 50.1, MET),
    (LATE, 50, 50, CALM | {"cpr": True}, 50.1, MET),
    (LATE, 9.9, 9.9, CALM, 0, NOT_MET),
    (LATE, 9.9, 50, CALM, 50.0, NOT_MET),
    (LATE, 50, 50, CALM | {"ua": True, "cpr": True}, 0, NOT_MET),
    (LATE, 50, 50, CALM, 60, NOT_MET),
    (LATE, 10.0, 10.0, CALM | {"cpr": True}, 0, NOT_MET),
    (LATE, 9.9, 50, CALM | {"uta": True}, 0, NOT_MET),
    (LATE, 9.9, None, {"cpr": True}, None, MET),
    # Late: unknown findings.
    (LATE, 9.9, 50, {}, 0, NOT_EXCLUDED),
    (LATE, 9.9, 50, CALM, None, NOT_EXCLUDED),
    (LATE, 50, 50, CALM, None, NOT_MET),
    (LATE, 50, 50, {}, None, NOT_EXCLUDED),
    (LATE, 50, None, CALM, 0, NOT_EXCLUDED),
    (LATE, None, None, CALM, None, CANNOT_ASSESS),
    (LATE, None, None, {"cpr": True}, None, CANNOT_ASSESS),
    (LATE, None, None, {"cpr": True}, 60, MET),
]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_vectors(vector: tuple[object, ...]) -> None:
    age, abdomen, weight, flags, lost, verdict = vector
    answer = delphi(age, abdomen, weight, dopplers(**flags), lost, False)  # type: ignore[arg-type]
    assert answer.verdict == verdict
    assert answer.phase == ("early" if age == EARLY else "late")
    assert answer.reason
    if verdict in {NOT_EXCLUDED, CANNOT_ASSESS}:
        assert answer.unknown


def test_there_are_enough_vectors() -> None:
    assert len(VECTORS) >= 40
    assert {vector[-1] for vector in VECTORS} == {MET, NOT_MET, NOT_EXCLUDED, CANNOT_ASSESS}


def test_an_anomaly_makes_the_criteria_invalid() -> None:
    answer = delphi(LATE, 1.0, 1.0, congenital_anomaly=True)
    assert answer.verdict == CANNOT_ASSESS
    assert "anomaly" in answer.reason


def test_the_criteria_that_are_met_are_named() -> None:
    answer = delphi(EARLY, 2.0, 50.0, dopplers(**CALM))
    assert answer.met == (
        "abdominal circumference below the 3rd centile",
        "abdominal circumference below the 10th centile",
    )


maybe = st.sampled_from([None, True, False])


@given(
    st.sampled_from([EARLY, LATE]),
    st.one_of(st.none(), st.floats(0, 100)),
    st.one_of(st.none(), st.floats(0, 100)),
    maybe,
    maybe,
    maybe,
    st.sampled_from([None, "present", "absent"]),
    st.one_of(st.none(), st.floats(-60, 90)),
)
def test_more_findings_never_withdraw_a_verdict(
    age: int,
    abdomen: float | None,
    weight: float | None,
    ua: bool | None,
    uta: bool | None,
    cpr: bool | None,
    flow: str | None,
    lost: float | None,
) -> None:
    if flow == "absent" and ua is False:
        ua = None  # a contradiction, which is refused
    answer = delphi(age, abdomen, weight, dopplers(ua=ua, uta=uta, cpr=cpr, flow=flow), lost)
    for bad in (True, False):
        full = dopplers(
            ua=(bad or flow == "absent") if ua is None else ua,
            uta=bad if uta is None else uta,
            cpr=bad if cpr is None else cpr,
            flow=flow or ("absent" if bad and ua is not False else "present"),
        )
        size = 1.0 if bad else 60.0
        more = delphi(
            age,
            size if abdomen is None else abdomen,
            size if weight is None else weight,
            full,
            (90.0 if bad else 0.0) if lost is None else lost,
        )
        assert more.verdict in {MET, NOT_MET}
        if answer.verdict in {MET, NOT_MET}:
            assert more.verdict == answer.verdict


def test_three_valued_counting() -> None:
    assert at_least(2, [True, True, None]) is True
    assert at_least(2, [True, False, None]) is None
    assert at_least(2, [True, False, False]) is False


def test_a_flag_and_a_centile_must_agree() -> None:
    dopplers = Dopplers.stated(
        {"umbilical_artery_pi": None}, {"umbilical_artery_pi": 96.0, "cerebroplacental_ratio": 4.0}, None
    )
    assert dopplers.umbilical_artery_pi_above_95th is True
    assert dopplers.cerebroplacental_ratio_below_5th is True
    assert dopplers.uterine_artery_pi_above_95th is None
    assert Dopplers.stated({}, {"umbilical_artery_pi": 95.0}, None).umbilical_artery_pi_above_95th is False
    with pytest.raises(InputError, match="contradict"):
        Dopplers.stated({"uterine_artery_pi": True}, {"uterine_artery_pi": 50.0}, None)
