"""Federated trees whose margin may move one way only with some measures."""

from dataclasses import replace

import numpy as np
import pytest

from federated.plan import AcidaemiaBoosting, AcidaemiaPlan
from federated.trees.rounds import frame_of
from federated.trees.site import TreeSite
from federated.trees.tasks import acidaemia_rows
from models.ctg.boosting import booster_from, margins
from models.ctg.boosting_settings import BoostingSettings
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.errors import InputError
from studies.in_process import boost_sites

RISING = [i for i, name in enumerate(TRACE_FEATURE_NAMES) if name.startswith("deepest_deceleration_bpm")]
FALLING = [i for i, name in enumerate(TRACE_FEATURE_NAMES) if name.startswith("bandwidth_bpm")]


def plan(strategy: str, **monotone: tuple[str, ...]) -> AcidaemiaPlan:
    boosting = AcidaemiaBoosting(learning_rate=0.3, max_depth=4, min_child_weight=1.0, colsample_bynode=1.0, **monotone)
    return AcidaemiaPlan(sites=3, rounds=8, calibration_folds=2, strategy=strategy, boosting=boosting)


def wrongly_moved(settings: AcidaemiaPlan) -> tuple[int, int]:
    """In how many steps the margin fell with a deeper deceleration, and rose with more variability.

    In the rows on which the trees are trained both do the opposite of what they should.
    """
    rng = np.random.default_rng(3)
    features = rng.normal(0, 1, (240, len(TRACE_FEATURE_NAMES)))
    ph = 7.2 + 0.2 * (features[:, RISING[0]] - features[:, FALLING[0]] + rng.normal(0, 1, 240))
    sites = []
    for k in range(3):
        own = slice(k, None, 3)
        names = np.array([f"r{i:03d}" for i in range(240)])[own]
        rows = acidaemia_rows(names, ph[own], features[own])
        sites.append(TreeSite(f"s{k}", replace(rows, learners=rows.learners[-1:], targets={}), settings, seed=2))
    learned = boost_sites(sites, settings, frame_of(settings))
    (document,) = learned.values()
    booster = booster_from(document)
    fell = rose = 0
    for column in RISING + FALLING:
        steps = np.repeat(features[:60, None, :], 25, axis=1)
        steps[:, :, column] = np.linspace(-3, 3, 25)
        margin = margins(booster, steps.reshape(-1, len(TRACE_FEATURE_NAMES)), TRACE_FEATURE_NAMES).reshape(60, 25)
        difference = np.diff(margin, axis=1)
        fell += int((difference < -1e-6).sum()) if column in RISING else 0
        rose += int((difference > 1e-6).sum()) if column in FALLING else 0
    return fell, rose


@pytest.mark.parametrize("strategy", ["refitted-trees", "weighted-bagging"])
def test_the_margin_moves_one_way_only(strategy: str) -> None:
    free = wrongly_moved(plan(strategy))
    assert min(free) > 50
    bound = plan(strategy, rises_with=("deepest_deceleration_bpm",), falls_with=("bandwidth_bpm",))
    assert wrongly_moved(bound) == (0, 0)


def test_a_name_stands_for_the_measure_in_every_window() -> None:
    settings = BoostingSettings(rises_with=("share_below_100",), falls_with=("bandwidth_bpm",))
    directions = settings.directions(TRACE_FEATURE_NAMES)
    assert directions.count(1) == directions.count(-1) == 3
    assert {TRACE_FEATURE_NAMES[i] for i, way in enumerate(directions) if way == -1} == {
        TRACE_FEATURE_NAMES[i] for i in FALLING
    }


def test_a_measure_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no measure called depth"):
        frame_of(plan("refitted-trees", rises_with=("depth",)))
