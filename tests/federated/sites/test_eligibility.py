"""Sites that cannot take part are refused before anything is trained, by name and with what to do."""

import pytest

from federated.candidate.gate import against_own_models, judge
from federated.plan import GatePlan, load, shipped_plans
from federated.sites.eligibility import IneligibleSiteError, check_site, schema
from federated.trees.summaries import against_local


@pytest.mark.parametrize(
    ("modality", "rows", "classes", "version", "words"),
    [
        ("ctg", 10, 2, "0123", "site a: its version is 0123, here it is .*: install the same version everywhere"),
        ("acidaemia", 10, 2, None, "it holds acidaemia, the plan wants ctg, ultrasound: leave it out or add a section"),
        ("ctg", 0, 0, None, "it holds no ctg rows: give it some, or leave it out"),
        ("ctg", 10, 1, None, "all of its rows are of one class: give it others, or leave it out"),
    ],
)
def test_unfit_sites(modality: str, rows: int, classes: int, version: str | None, words: str) -> None:
    with pytest.raises(IneligibleSiteError, match=words):
        check_site("a", modality, ["ultrasound", "ctg"], rows, classes, version or schema())


def test_fit_sites() -> None:
    check_site("a", "ctg", ["ctg"], 10, 2, schema())
    check_site("a", "ultrasound", ["ultrasound"], 10, 1, schema())  # heads of one size are a site like any other
    assert len(schema()) == 12


def test_modalities_of_plans() -> None:
    plans = {name: load(path).modalities() for name, path in shipped_plans().items()}
    assert plans["ctg"] == ["ctg", "acidaemia"]
    assert plans["ultrasound"] == ["ultrasound"]
    assert plans["multi-task"] == plans["default"] == ["ctg", "acidaemia", "ultrasound"]


def test_a_site_beside_its_own_model() -> None:
    assert against_local([0.0, 0.0, 0.0]) is None
    found = against_local([4.0, 0.4, 0.04 * 4])  # mean .1, spread .1735
    assert found is not None
    assert found["difference"] == 0.1
    low, high = found["ci95"]  # type: ignore[misc]
    assert low < 0 < 0.1 < high


@pytest.mark.parametrize(("low", "passed"), [(-0.01, True), (0.01, False)])
def test_no_site_gets_a_model_that_is_worse_beyond_chance(low: float, passed: bool) -> None:
    found = {"difference": 0.05, "ci95": [low, 0.2], "groups": 9}
    candidate = {"metrics": {}, "sites": {"ctg": {"site-1": {"rows": 5, "against_local_table": found}}}}
    incumbent: dict[str, object] = {"metrics": {}, "sites": {}}
    (verdict,) = against_own_models(candidate)
    assert verdict.passed == passed
    assert verdict.what == "log-loss against its own model, table, site-1"
    assert [v.passed for v in judge(candidate, incumbent, GatePlan())] == [passed]
    assert judge(candidate, incumbent, GatePlan(never_worse_than_local=False)) == []
