"""Federated boosting without a transport: the loop that Flower's messages carry, called in-process.

Out-of-fold studies use it because it is fast; a test proves that the Flower run gives the same bytes.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np
import xgboost

from federated.plan import CtgPlan
from federated.strategies.refitted_trees import Sums, propose, refit
from federated.strategies.weighted_bagging import Document, concatenate, merge
from federated.tree_site import TreeSite
from models.ctg.pattern import (
    BoostingSettings,
    Calibration,
    CalibrationSums,
    PatternModel,
    View,
    booster_from,
    newton_step,
    tree_json,
    view_matrix,
)

NEWTON_STEPS = 8


def empty_frame(settings: BoostingSettings) -> Document:
    """JSON form of a booster of which only the header is used: sites and server agree on it."""
    matrix = view_matrix(np.zeros((3, 21)), np.arange(3), settings, "table")
    return tree_json(xgboost.train(settings.parameters(0), matrix, num_boost_round=1))


def lane_count(plan: CtgPlan, views: tuple[View, ...]) -> int:
    """Number of models in the making."""
    return len(views) * (plan.calibration_folds + 1)


def is_final(lane: int, plan: CtgPlan) -> bool:
    """True for the lane of a view that learns from all women and is kept."""
    return lane % (plan.calibration_folds + 1) == 0


def refit_lane(plan: CtgPlan, proposal: Document, by_site: Sequence[Sequence[Sums]]) -> Document:
    """Add the sites' sums, in their order, and keep the best trees."""
    totals = [np.sum(parts, axis=0) for parts in zip(*by_site, strict=True)]
    settings = plan.boosting
    return refit(proposal, totals, learning_rate=settings.learning_rate, reg_lambda=settings.reg_lambda)


def combine(sums: Sequence[CalibrationSums], calibration: Calibration) -> Calibration:
    """One Newton step on the sites' sums."""
    return newton_step(calibration, reduce(add, sums))


def train_sites(sites: Sequence[TreeSite], plan: CtgPlan, views: tuple[View, ...]) -> dict[View, PatternModel]:
    """Weighted bagging over `sites`, then the calibration: one model a view."""
    frame = empty_frame(plan.boosting.settings())
    kept: dict[int, list[Document]] = {}
    for round_number in range(1, plan.rounds + 1):
        for lane in range(lane_count(plan, views)):
            replies = [site.step(lane, round_number) for site in sites]
            if plan.strategy == "weighted-bagging":
                merged = merge(frame, replies)
            else:
                proposal = propose(frame, replies)
                merged = refit_lane(plan, proposal, [site.leaf_sums(lane, proposal) for site in sites])
            for site in sites:
                site.absorb(lane, merged)
            if is_final(lane, plan):
                kept.setdefault(lane, []).append(merged)
    models = {}
    for view, documents in zip(views, kept.values(), strict=True):
        calibration = Calibration()
        for _ in range(NEWTON_STEPS):
            calibration = combine([site.calibration_sums(view, calibration) for site in sites], calibration)
        models[view] = PatternModel(booster_from(concatenate(documents)), calibration)
    return models
