"""Plans, partitions, averaging, gate, run folder."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.candidate.gate import judge
from federated.plan import GatePlan, Plan, load, plan_from_json, shipped_plans
from federated.run.control import prepare, stop
from federated.run.folder import RunFolder, describe
from federated.run.status import read_status
from federated.sites.partition import ctg_sites, dirichlet_sites, family_sites, sorted_sites
from federated.trees.summaries import best_decision, confusions, macro_f1, specificity_threshold
from federated.weights.averaging import WeightReply, average, cosine_learning_rate, fold_model_of, join
from models.ctg.pattern import Calibration
from models.datasets.uci_ctg import CtgTable
from models.errors import FetalHealthError, InputError
from tests.federated.conftest import PLAN


def test_shipped_plans_load() -> None:
    names = {"default", "ctg", "acidaemia", "grader", "ultrasound", "synthetic", "multi-task", "transfer"}
    assert set(shipped_plans()) == names
    whole, part, heads, births = (load(shipped_plans()[name]) for name in ("default", "ctg", "ultrasound", "acidaemia"))
    assert (births.ctg, births.acidaemia, births.ultrasound) == (None, whole.acidaemia, None)
    assert (part.ctg, part.acidaemia, part.ultrasound) == (whole.ctg, whole.acidaemia, None)
    assert (heads.ctg, heads.acidaemia, heads.ultrasound) == (None, None, whole.ultrasound)
    for path in shipped_plans().values():
        assert load(path).name == path.stem


@pytest.mark.parametrize("name", sorted(shipped_plans()))
def test_a_plan_is_written_as_it_was_read(name: str, tmp_path: Path) -> None:
    plan = load(shipped_plans()[name])
    folder, prepared = prepare(tmp_path, plan, ["luke", "anne"], 2)
    assert prepared.participation.sites == ("anne", "luke")
    assert load(folder / "plan.toml") == prepared
    assert prepared.model_copy(update={"participation": plan.participation}) == plan


def test_a_comment_is_no_participation_and_a_section_is(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('# No [participation] here.\nname = "a"\nseed = 1\n[ctg]\n')
    assert prepare(tmp_path, load(path), ["anne"])[1].participation.sites == ("anne",)
    path.write_text('name = "a"\nseed = 1\n[ctg]\n[participation]\n')
    with pytest.raises(InputError, match=r"has a \[participation\] of its own"):
        prepare(tmp_path, load(path), ["anne"])


def test_a_process_parses_a_plan_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('name = "a"\nseed = 1\n[ctg]\n')
    plan = load(path)
    assert load(path) is plan
    text = plan.model_dump_json()
    assert plan_from_json(text) == plan
    assert plan_from_json(text) is plan_from_json(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not valid TOML"),
        ('name = "a"\nseed = 1\n', "nothing to train"),
        ('name = "A B"\nseed = 1\n[ctg]\n', "name"),
        ('name = "a"\nseed = 1\n[ctg]\nsites = 1\n', r"ctg\.sites"),
        ('name = "a"\nseed = 1\n[ctg]\nspeed = 1\n', r"ctg\.speed"),
    ],
)
def test_bad_plans_name_the_field(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        load(path)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.toml")


@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.5, 5.0]))
def test_a_woman_stands_at_one_site(seed: int, alpha: float) -> None:
    groups = np.repeat([f"w{i}" for i in range(60)], 4)
    strata = np.repeat(np.arange(60) % 3, 4)
    site = dirichlet_sites(groups, strata, sites=4, alpha=alpha, seed=seed)
    assert all(len(set(site[groups == group])) == 1 for group in np.unique(groups))
    assert np.bincount(site).min() >= 3 * 4
    assert (site == dirichlet_sites(groups, strata, sites=4, alpha=alpha, seed=seed)).all()


def test_too_few_groups_is_an_error() -> None:
    with pytest.raises(ValueError, match="too few"):
        dirichlet_sites(np.array(["a", "b"]), np.array([0, 1]), sites=3, alpha=1.0, seed=0)


def test_families_are_halved(table: CtgTable) -> None:
    site = family_sites(table.woman, table.family, seed=1)
    assert set(site) == {0, 1, 2, 3}
    for k in range(4):
        assert len(set(table.family[site == k])) == 1
    plan = PLAN.model_copy(update={"partition": "family", "sites": 4})
    assert set(ctg_sites(table, plan, 1)) == {0, 1, 2, 3}


def _reply(site: str, weight: float, value: float) -> WeightReply:
    return WeightReply(site, weight, {"w": np.full(3, value, np.float32)})


def test_average_is_weighted_and_ordered() -> None:
    a, b = _reply("a", 1, 0.0), _reply("b", 3, 4.0)
    np.testing.assert_allclose(average([a, b])["w"], 3.0)
    assert average([a, b])["w"].tobytes() == average([b, a])["w"].tobytes()


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ([], "no site"),
        ([_reply("a", 0, 1)], "positive"),
        ([_reply("a", 1, float("nan"))], "not finite"),
        ([_reply("a", 1, 1), WeightReply("b", 1, {"v": np.ones(3, np.float32)})], "site b replied with different"),
    ],
)
def test_bad_weights_name_the_site(replies: list[WeightReply], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        average(replies)


def test_learning_rate_warms_up_and_falls() -> None:
    rates = [cosine_learning_rate(1.0, r, 20) for r in range(1, 21)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.05


def test_lanes_travel_under_their_number() -> None:
    lanes = {0: {"w": np.zeros(2, np.float32)}, 12: {"w": np.ones(2, np.float32)}}
    joined = join(lanes)
    assert set(joined) == {"0.w", "12.w"}
    assert fold_model_of(joined, 12)["w"].tolist() == [1, 1]
    assert set(fold_model_of(joined, 1)) == set()


def test_sites_cut_along_a_value_are_as_unlike_as_can_be() -> None:
    groups = np.array(["a", "a", "b", "c", "d"])
    site = sorted_sites(groups, np.array([1.0, 3.0, 9.0, 0.5, 5.0]), sites=2)
    assert site.tolist() == [0, 0, 1, 0, 1]


def test_cuts_and_decisions() -> None:
    negatives = np.zeros(1000, dtype=np.int64)
    negatives[:100] = 1
    assert specificity_threshold(negatives, 0.8) == pytest.approx(0.08)
    probability = Calibration().probabilities(np.array([[1.0, 0.9, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    counts = confusions(probability, np.array([1, 0, 2]))
    assert macro_f1(counts[0]) < 1
    assert macro_f1(counts[best_decision(counts)]) == 1


def _manifest(f1: float, mae: float, site: float) -> dict[str, object]:
    return {
        "metrics": {"ctg": {"macro_f1_table": f1, "macro_f1_trace": f1}, "ultrasound": {"mae_mm": mae}},
        "sites": {"ctg": {"s": {"macro_f1_table": site}}, "ultrasound": {"u": {"mae_mm": None}}},
    }


@pytest.mark.parametrize(
    ("candidate", "passed"),
    [
        (_manifest(0.80, 2.0, 0.8), True),
        (_manifest(0.76, 2.0, 0.8), True),
        (_manifest(0.74, 2.0, 0.8), False),
        (_manifest(0.80, 2.4, 0.8), False),
        (_manifest(0.80, 2.0, 0.6), False),
    ],
)
def test_the_gate(candidate: dict[str, object], passed: bool) -> None:
    verdicts = judge(candidate, _manifest(0.80, 2.0, 0.8), GatePlan())
    assert all(v.passed for v in verdicts) == passed
    assert all(v.words() for v in verdicts)


def test_the_gate_does_not_compare_people_with_synthetic_data() -> None:
    candidate = _manifest(0.99, 0.1, 0.99) | {"synthetic": True}
    assert [v.passed for v in judge(candidate, _manifest(0.80, 2.0, 0.8), GatePlan())] == [False]
    assert judge(_manifest(0.80, 2.0, 0.8), candidate, GatePlan()) == []


def test_run_folder_keeps_whole_rounds(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save_trees("ctg", 1, {0: {"a": 1}})
    run.save_trees("ctg", 3, {0: {"a": 3}})
    assert run.trees("ctg") == [{0: {"a": 1}}]
    assert run.weights("ultrasound") is None
    run.save_weights("ultrasound", 2, {"w": np.ones(2, np.float32)})
    kept = run.weights("ultrasound")
    assert kept is not None
    assert kept[0] == 2


def test_an_event_being_written_is_not_read(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.event("started", plan="x")
    with (tmp_path / "events.jsonl").open("a") as handle:
        handle.write('{"kind": "rou')
    assert [event["kind"] for event in run.events()] == ["started"]
    assert "plan x" in describe(run.events()[0])


def test_status_of_a_run_without_a_process(tmp_path: Path) -> None:
    folder, _ = prepare(tmp_path, load(shipped_plans()["synthetic"]))
    assert read_status(folder).state == "starting"
    RunFolder(folder).event("started", plan="synthetic")
    assert read_status(folder).state == "dead"
    with pytest.raises(FetalHealthError, match="not running"):
        stop(folder)
    with pytest.raises(InputError, match="no run"):
        read_status(tmp_path / "nothing")


def test_every_field_of_a_plan_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "plans.md").read_text()
    schema = Plan.model_json_schema()
    fields = {name for part in (schema, *schema["$defs"].values()) for name in part.get("properties", {})}
    assert len(fields) > 50
    assert [name for name in sorted(fields) if f"{name}`" not in text and f"[{name}]" not in text] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[shared]\nmode = "multi-task"\n[ctg]\n', "a study of its own"),
        ('[shared]\nmode = "multi-task"\n[shared.scan]\n', "at least two of"),
        ('[shared]\nmode = "fusion"\n', r"shared\.mode"),
        ('[ultrasound.compression]\nkind = "zip"\n', r"ultrasound\.compression\.kind"),
        ('[ultrasound.aggregation]\nweight = "equal"\n', r"ultrasound\.aggregation\.weight"),
    ],
)
def test_bad_sections_name_the_field(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('name = "a"\nseed = 1\n' + text)
    with pytest.raises(InputError, match=words):
        load(path)
