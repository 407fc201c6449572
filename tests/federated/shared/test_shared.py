"""The shared representation over sites, in this process (where torch is installed)."""

import gzip
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from federated.plan import PartitionPlan, Plan, SharedPlan
from federated.shared.metrics import figures, judged
from federated.shared.site import SharedSite, initial_fold_models, part_of, travels
from federated.shared.stages import aligned, stages, start_of
from federated.shared.tasks import scan_examples, table_examples, trace_examples
from federated.sites.partition import birth_sites, ctg_sites
from models.datasets.uci_ctg import CtgTable
from models.growth.measures import BPD, HC, OFD
from models.representation.examples import COLUMNS, UNKNOWN
from studies.families import study
from studies.in_process import train_shared_sites

CUT = PartitionPlan(sites=2, alpha=5.0)
PLAN = SharedPlan(mode="multi-task", rounds=2, folds=2, table=CUT, trace=CUT, scan=CUT)


def scans(n: int = 90) -> tuple[list[str], list[str], np.ndarray, dict[str, dict[str, float]]]:
    rng = np.random.default_rng(0)
    heads = rng.uniform(100, 300, n)
    names = [f"{k:03d}_HC.png" for k in range(n)]
    measured = {a: {HC: hc * 1.01, BPD: hc / 3.6, OFD: hc / 2.9} for a, hc in zip(names, heads, strict=True)}
    return names, [name[:3] for name in names], heads, measured


@pytest.fixture
def sites(table: CtgTable) -> list[SharedSite]:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(80, len(COLUMNS["trace"])))
    ph, z = 7.25 - 0.1 * (features[:, 0] > 0.8) + rng.normal(0, 0.03, 80), rng.normal(size=80)
    names = np.array([f"r{k}" for k in range(80)])
    split = birth_sites(names, (ph < 7.15).astype(np.int64), CUT, 1)
    made = []
    for k, index in ((k, np.flatnonzero(ctg_sites(table, CUT, 3) == k)) for k in range(2)):
        made.append(SharedSite(f"ctg-{k}", table_examples(table.rows(index), PLAN), PLAN, seed=5))
    for k in range(2):
        rows = np.flatnonzero(split == k)
        made.append(
            SharedSite(f"labour-{k}", trace_examples(names[rows], ph[rows], features[rows], z[rows]), PLAN, seed=5)
        )
    images, examinations, heads, measured = scans()
    for k in range(2):
        half = list(range(k, 90, 2))
        some = scan_examples([images[i] for i in half], [examinations[i] for i in half], heads[half], measured)
        made.append(SharedSite(f"scan-{k}", some, PLAN, seed=5))
    return made


def test_stages_of_the_modes() -> None:
    def names(**update: object) -> list[tuple[str, tuple[str, ...]]]:
        return [(stage.name, stage.modalities) for stage in stages(PLAN.model_copy(update=update))]

    everything = ("table", "trace", "scan")
    assert names() == [("multi-task", everything)]
    assert names(mode="separate") == [(m, (m,)) for m in everything]
    assert names(mode="transfer") == [("source", ("table", "trace")), ("target", ("scan",))]
    assert names(mode="transfer", source="ultrasound", align=("cca",)) == [
        ("warm-up", ("table", "trace")),
        ("source", ("scan",)),
        ("target", ("table", "trace")),
    ]
    frozen = stages(PLAN.model_copy(update={"mode": "transfer", "freeze_trunk": True}))[1]
    assert frozen.frozen == ("trunk.",)


def test_only_shared_and_owned_parts_travel() -> None:
    (stage,) = stages(PLAN)
    arrays = initial_fold_models(PLAN, 1)
    sent = part_of(arrays, "scan")
    parts = {".".join(name.split(".")[1:3]) for name in sent if "trunk" not in name}
    assert parts == {"encoder.scan", "head.growth"}
    personal = PLAN.model_copy(update={"personal_heads": True})
    assert travels("head.growth.weight", "scan", stage, PLAN)
    assert not travels("head.growth.weight", "scan", stage, personal)
    assert not travels("head.state.weight", "scan", stage, PLAN)
    assert not travels("encoder.trace.1.weight", "scan", stage, PLAN)


def test_a_fresh_stage_keeps_encoders_and_drops_trunk_and_heads() -> None:
    fresh = initial_fold_models(PLAN, 1)
    learned = {name: values + 1 for name, values in fresh.items()}
    made = start_of(stages(PLAN.model_copy(update={"mode": "separate"}))[0], learned, fresh)
    assert (made["0.trunk.1.weight"] == fresh["0.trunk.1.weight"]).all()
    assert (made["0.head.growth.bias"] == fresh["0.head.growth.bias"]).all()
    assert (made["0.encoder.scan.1.weight"] == learned["0.encoder.scan.1.weight"]).all()


def test_scaling_sums_add_over_sites(sites: list[SharedSite]) -> None:
    two = [site for site in sites if site.modality == "trace"]
    total = np.sum([site.feature_sums() for site in two], axis=0)
    for site in two:
        site.standardise(total)
    together = np.vstack([site.examples.features for site in two])
    np.testing.assert_allclose(together.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(together.std(axis=0), 1, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "update",
    [
        {},
        {"mode": "separate"},
        {"align": ("prototypes", "coral"), "align_strength": 1.0},
        {"personal_heads": True, "compression": {"kind": "top-k", "share": 0.5}},
        {"mode": "transfer", "align": ("cca",), "freeze_trunk": True},
        {"mode": "transfer", "source": "ultrasound", "align": ("prototypes",)},
    ],
)
def test_every_mode_predicts_every_row_by_the_lane_that_left_it_out(
    sites: list[SharedSite], update: dict[str, object]
) -> None:
    plan = SharedPlan.model_validate({**PLAN.model_dump(), **update})
    for site in sites:
        site.plan = plan
    left_out, notes, _ = train_shared_sites(sites, plan, 5)
    assert set(left_out) == {site.name for site in sites}
    for site in sites:
        for task, margin in left_out[site.name].items():
            assert margin.shape[0] == len(site.examples)
            assert np.isfinite(margin).all(), task
            assert (np.abs(margin).sum(axis=1) > 0).all()
        assert bool(site.personal) == plan.personal_heads
    assert ("cca" in notes) == ("cca" in plan.align)


def test_lanes_do_not_learn_from_what_they_leave_out(sites: list[SharedSite]) -> None:
    site = sites[-1]
    (stage,) = stages(PLAN)
    arrays = part_of(initial_fold_models(PLAN, 1), "scan")
    replies, _, _ = site.train(arrays, stage, 1, {})
    assert replies[0].weight == len(site.examples)
    assert replies[1].weight == (site.fold != 1).sum()
    altered = site.examples.labels["growth"].copy()
    altered[site.fold == 1] = (altered[site.fold == 1] + 1) % 3
    site.examples.labels["growth"][:] = altered
    again, _, _ = site.train(arrays, stage, 1, {})
    assert all((again[1].arrays[n] == replies[1].arrays[n]).all() for n in replies[1].arrays)
    assert any((again[2].arrays[n] != replies[2].arrays[n]).any() for n in replies[2].arrays)


@pytest.mark.slow
def test_alignment_that_does_not_beat_its_null_changes_nothing(sites: list[SharedSite]) -> None:
    arrays = initial_fold_models(PLAN, 1)
    rng = np.random.default_rng(0)
    noise = [[(cell, rng.normal(size=16)) for cell in range(6) for _ in range(12)] for _ in range(3)]
    same, found, words = aligned(arrays, PLAN, {"trace": noise, "scan": noise[::-1]}, 1)
    assert found is not None
    assert words.startswith("not aligned: held-out correlation")
    assert all(same[name] is arrays[name] for name in arrays)
    _, none, words = aligned(arrays, PLAN, {"trace": [[]] * 3, "scan": [[]] * 3}, 1)
    assert none is None
    assert "too few" in words
    ours, theirs = (
        [[(c, sign * np.full(16, float(c)) + 0.01 * rng.normal(size=16)) for c in range(6) for _ in range(12)]] * 3
        for sign in (1, -1)
    )
    moved, found, words = aligned(
        arrays, PLAN.model_copy(update={"cca_dimensions": 1}), {"trace": ours, "scan": theirs}, 1
    )
    assert words.startswith("aligned")
    assert (moved["0.encoder.scan.4.weight"] != arrays["0.encoder.scan.4.weight"]).any()


def test_figures_add_over_sites() -> None:
    rng = np.random.default_rng(0)
    label = np.append(rng.integers(0, 3, 60), UNKNOWN)
    margin = np.eye(3)[label] * 3 + rng.normal(size=(61, 3))
    whole = figures({"a": judged({"growth": label}, {"growth": margin})})
    parts = {str(k): judged({"growth": label[k::2]}, {"growth": margin[k::2]}) for k in range(2)}
    assert figures(parts) == whole
    assert whole["growth"]["rows"] == 60
    assert whole["growth"]["auc"] > 0.9
    few = judged({"growth": label[:4]}, {"growth": margin[:4]})
    assert few["growth-loss"] == [0.0, 0.0]
    assert figures({"few": few}) == {}


def test_heads_without_a_measure_or_an_age_are_left_out() -> None:
    names, examinations, heads, measured = scans(10)
    del measured[names[0]]
    heads[1] = 20.0
    made = scan_examples(names, examinations, heads, measured)
    assert "000" not in made.group
    assert "001" not in made.group
    assert made.features.shape == (len(made), len(COLUMNS["scan"]))


def test_a_site_needs_rows() -> None:
    names, examinations, heads, _ = scans(4)
    with pytest.raises(ValueError, match="site empty has no rows of scan"):
        SharedSite("empty", scan_examples(names, examinations, heads, {}), PLAN, seed=1)


def test_the_chart_knows_size_without_training() -> None:
    names, examinations, heads, measured = scans(60)
    exact = {name: {**measured[name], HC: hc} for name, hc in zip(names, heads, strict=True)}
    made = scan_examples(names, examinations, heads, exact)
    found = study.chart_log_odds(made.features)
    assert (found.argmax(axis=1) == made.labels["growth"]).mean() > 0.95


@pytest.mark.slow
def test_the_study_stores_every_family(data: Path, tmp_path: Path) -> None:
    rows = [f"{k:03d}_HC.png,{hc},{hc / 3.6},{hc / 2.9}," for k, hc in enumerate(np.linspace(100, 300, 12))]
    (tmp_path / "hc18.csv").write_text("image,estimate_mm,bpd_mm,ofd_mm,refusal\n" + "\n".join(rows) + "\n")
    plan = Plan(name="t", seed=3, shared=PLAN.model_copy(update={"rounds": 1}))
    for part in ("ensemble/0", "multi-task/0", "transfer from ctg cca/0"):
        study.study(data, plan, tmp_path, [part])
    stored = gzip.decompress((tmp_path / "families.csv.gz").read_bytes()).decode().splitlines()
    assert stored[0] == "part,site,task,row,group,fold,label,m0,m1,m2"
    assert {line.split(",")[2] for line in stored[1:] if line.startswith("ensemble/0")} == {
        "state",
        "acidaemia",
        "growth",
    }
