"""The acidaemia mean_of_threshold_models over sites: rungs, their mean, calibration, and what a site tells."""

import numpy as np
import pytest

from federated.plan import AcidaemiaBoosting, AcidaemiaPlan
from federated.sites.births import Births
from federated.sites.partition import birth_sites
from federated.trees.rounds import frame_of, mean_of_threshold_models
from federated.trees.site import TreeSite
from federated.trees.summaries import auc, feature_range, summarise_target
from federated.trees.tasks import ACIDAEMIA, acidaemia_rows, task_of
from models.ctg.acidaemia import PH_THRESHOLDS, TARGETS, AcidaemiaModel
from models.ctg.boosting import booster_from, gradients, margins
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from studies.in_process import train_sites

PLAN = AcidaemiaPlan(
    sites=3,
    rounds=6,
    calibration_folds=2,
    boosting=AcidaemiaBoosting(learning_rate=0.3, max_depth=2, min_child_weight=1.0),
)


@pytest.fixture(scope="module")
def births() -> Births:
    rng = np.random.default_rng(0)
    ph = rng.normal(7.2, 0.09, 180)
    features = rng.normal(0, 1, (180, len(TRACE_FEATURE_NAMES)))
    features[:, :5] -= 8 * (ph - 7.2)[:, None]
    features[7] = np.nan
    return Births(np.array([f"r{i:03d}" for i in range(180)]), ph, features, np.full(180, np.nan))


@pytest.fixture(scope="module")
def sites(births: Births) -> list[TreeSite]:
    site_of = birth_sites(births.names, births.labels, PLAN, seed=1)
    made = []
    for k in range(3):
        own = births.rows(np.flatnonzero(site_of == k))
        made.append(TreeSite(f"s{k}", acidaemia_rows(own.names, own.ph, own.features), PLAN, seed=2))
    return made


def test_a_lane_a_rung_and_fold(sites: list[TreeSite]) -> None:
    assert len(sites[0].fold_models) == len(PH_THRESHOLDS) * (PLAN.calibration_folds + 1)
    assert [model.learner.name for model in sites[0].fold_models[::3]] == list(ACIDAEMIA.learners)


def test_a_record_that_cannot_be_assessed_trains_nothing(sites: list[TreeSite]) -> None:
    assert sum(len(site.rows) for site in sites) == 179
    assert not any("r007" in site.rows.group for site in sites)


def test_the_ladder_is_the_mean_of_its_rungs(sites: list[TreeSite], births: Births) -> None:
    frame = frame_of(PLAN)
    from federated.trees.bagging import TreeReply
    from federated.trees.documents import with_trees

    replies = [sites[0].step(lane, 1, rounds=2) for lane in (0, 3, 6)]
    rungs = [with_trees(frame, reply.trees, reply.tree_class) for reply in replies]
    assert isinstance(replies[0], TreeReply)
    features = births.features[10:40]
    parts = [margins(booster_from(rung), features, TRACE_FEATURE_NAMES) for rung in rungs]
    whole = margins(booster_from(mean_of_threshold_models(frame, rungs)), features, TRACE_FEATURE_NAMES)
    np.testing.assert_allclose(whole, np.mean(parts, axis=0), atol=1e-5)
    assert mean_of_threshold_models(frame, rungs[:1]) is rungs[0]


@pytest.mark.slow
def test_training_separates_and_calibrates(sites: list[TreeSite], births: Births) -> None:
    made = train_sites(sites, PLAN, frame_of(PLAN))
    assert set(made) == {target.name for target in TARGETS} == set(task_of(PLAN).targets)
    for target in TARGETS:
        document, calibration = made[target.name]
        model = AcidaemiaModel(booster_from(document), calibration)
        probability = model.probabilities(births.features)
        low = births.ph < target.threshold
        assert probability[low].mean() > 2 * probability[~low].mean()
        assert calibration.rows == 179
        assert calibration.events == int(low[np.arange(180) != 7].sum())


@pytest.mark.slow
def test_what_a_site_tells_are_counts(sites: list[TreeSite]) -> None:
    _, calibration = train_sites(sites, PLAN, frame_of(PLAN))["ph_le_7_15"]
    summary = summarise_target(sites[0], "ph_le_7_15", calibration)
    assert set(summary) == {"negatives", "positives", "logits"}
    assert sum(summary["negatives"]) + sum(summary["positives"]) == len(sites[0].rows)
    low, high = feature_range(sites[0])
    assert len(low) == len(high) == len(TRACE_FEATURE_NAMES)
    assert np.all(np.array(low) <= np.array(high))


def test_auc_from_histograms() -> None:
    assert auc(np.array([5, 0]), np.array([0, 5])) == 1.0
    assert auc(np.array([5, 5]), np.array([5, 5])) == 0.5
    assert auc(np.array([0, 5]), np.array([5, 0])) == 0.0


def test_logistic_gradients_are_those_of_the_loss() -> None:
    margin, label, weight = np.array([[0.3], [-1.2]]), np.array([1.0, 0.0]), np.array([1.0, 2.0])
    gradient, hessian = gradients(margin, label, weight)

    def loss(m: np.ndarray) -> float:
        return float((weight * (np.log1p(np.exp(m[:, 0])) - label * m[:, 0])).sum())

    step = np.zeros_like(margin)
    step[1, 0] = 1e-5
    assert gradient[1, 0] == pytest.approx((loss(margin + step) - loss(margin - step)) / 2e-5, rel=1e-5)
    assert hessian[1, 0] == pytest.approx(
        (loss(margin + step) - 2 * loss(margin) + loss(margin - step)) / 1e-10, rel=1e-3
    )
