"""One ultrasound site: lanes leave their fold out, errors add over sites (where torch is installed)."""

from pathlib import Path

import numpy as np
import pytest

from federated.plan import UltrasoundPlan
from federated.weights.averaging import fold_model_of, join
from models.datasets import hc18
from models.evaluation.folds import hashed_folds

pytest.importorskip("torch")

from federated.plan import fold_models_of
from federated.weights.arrays import arrays_of
from federated.weights.segmenter_site import ALL, ImageSite, initial_fold_models, network_of
from studies.heads import study as evidence

PLAN = UltrasoundPlan(sites=2, rounds=2, folds=2, batch_size=4)


@pytest.fixture(scope="module")
def records(data: Path) -> list[hc18.HeadImage]:
    folder = hc18.find(data)
    assert folder is not None
    return hc18.read(folder)


@pytest.fixture(scope="module")
def site(records: list[hc18.HeadImage]) -> ImageSite:
    return ImageSite("s", records, PLAN, seed=1)


def test_lanes_leave_their_fold_out(site: ImageSite, records: list[hc18.HeadImage]) -> None:
    fold = hashed_folds([r.examination for r in site.records], PLAN.folds)
    assert list(fold_models_of(PLAN)) == [0, 1, 2]
    assert len(site.rows(ALL)) == len(site.records)
    for k in range(PLAN.folds):
        assert len(site.rows(k + 1)) == int((fold != k).sum())
    assert {r.examination for r, f in zip(site.records, fold, strict=True) if f == 0}.isdisjoint(
        {r.examination for r, f in zip(site.records, fold, strict=True) if f == 1}
    )


@pytest.mark.slow
def test_training_answers_every_lane_with_its_rows(site: ImageSite) -> None:
    arrays = initial_fold_models(PLAN, 7)
    replies, losses = site.train(arrays, 1)
    assert set(replies) == {0, 1, 2}
    assert len(losses) == -(-len(site.records) // 4)
    assert np.isfinite(losses).all()
    assert replies[0].weight == len(site.records)
    assert replies[1].weight + replies[2].weight == len(site.records)
    start = fold_model_of(arrays, 0)
    assert any((replies[0].arrays[name] != start[name]).any() for name in start)
    again, _ = site.train(arrays, 1, [1])
    assert set(again) == {1}
    for name, values in again[1].arrays.items():
        assert values.tobytes() == replies[1].arrays[name].tobytes()


def test_weights_go_through_a_network_and_back() -> None:
    arrays = fold_model_of(initial_fold_models(PLAN, 7), 2)
    for name, values in arrays_of(network_of(arrays)).items():
        assert values.tobytes() == arrays[name].tobytes()


@pytest.mark.slow
def test_errors_add_over_sites(records: list[hc18.HeadImage], site: ImageSite) -> None:
    arrays = initial_fold_models(PLAN, 7)
    counts, sums = site.errors(arrays)
    assert counts.shape == (3, 5, 1000)
    assert (counts.sum(axis=(1, 2)) == len(site.records)).all()
    examinations = sorted({r.examination for r in records})
    parts = [set(examinations[:6]), set(examinations[6:])]
    both = [
        ImageSite("p", [r for r in records if r.examination in part], PLAN, seed=1).errors(arrays) for part in parts
    ]
    np.testing.assert_array_equal(both[0][0] + both[1][0], counts)
    for name, value in sums.items():
        assert both[0][1][name] + both[1][1][name] == pytest.approx(value)


def test_a_site_needs_images() -> None:
    with pytest.raises(ValueError, match="no image to train on"):
        ImageSite("empty", [], PLAN, seed=1)


@pytest.mark.slow
def test_the_study_of_other_sites_stores_its_rows(data: Path, tmp_path: Path) -> None:
    from federated.plan import Plan

    folder = hc18.find(data)
    assert folder is not None
    plan = Plan(name="t", seed=3, ultrasound=PLAN)
    evidence.arms(folder, plan, tmp_path, ["central/0", "scale/0"])
    evidence.arms(folder, plan, tmp_path, ["central/0"])  # done already
    rows = (tmp_path / "hc18_arms.csv").read_text().splitlines()
    assert rows[0] == "part,image,examination,reference_mm,estimate_mm"
    assert {row.split(",")[0] for row in rows[1:]} == {"central/0", "scale/0"}
    assert len(set(rows)) == len(rows)
    assert join({}) == {}
