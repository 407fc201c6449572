"""What one site does in the federation of boosted trees.

A *learner* is one model in the making (a view of the pattern, a rung of the acidaemia ladder). Each has *lanes*:
its first learns from all of the site's women, its lane i > 0 leaves the women of fold i out; the margins that lanes
1..k give to the women they left out, whom none of their trees has seen, calibrate the first. All lanes travel in
one message, because messages are what costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from federated.plan import TreePlan
from federated.privacy.small_cells import floored
from federated.trees.bagging import TreeReply
from federated.trees.documents import (
    Document,
    merge_small_leaves,
    new_trees,
    pruned,
    structure,
    without_statistics,
)
from federated.weights.weighting import SiteCounts, site_weights
from models.ctg.boosting import boost, booster_from, gradients, margins, matrix, tree_json
from models.ctg.boosting_settings import BoostingSettings
from models.ctg.calibration import Calibration, CalibrationSums, calibration_sums, two_classes
from models.ctg.trees_library import xgboost

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Groups = NDArray[np.str_]


@dataclass(frozen=True)
class Learner:
    """One model in the making.

    Attributes
    ----------
    name : str
    outputs : int
        1 (logistic) or one a class (softmax).
    names : tuple of str
        Columns.
    features, label, weight, row : ndarray, m training rows
        `row` is the scored row that each belongs to (several may be views of one).
    scored : ndarray, shape (n, columns)
        What is scored of each of the site's rows when its woman is left out.
    """

    name: str
    outputs: int
    names: tuple[str, ...]
    features: Array
    label: Labels
    weight: Array
    row: Labels
    scored: Array


@dataclass(frozen=True)
class SiteRows:
    """A site's rows, prepared for the trees.

    Attributes
    ----------
    learners : tuple of Learner
    targets : dict of str to (learner names, ndarray of int64, shape (n,))
        What is calibrated: the learners whose margins are averaged, and the class of each row.
    group : ndarray of str, shape (n,)
        Woman or record.
    stratum : ndarray of int64, shape (n,)
        Folds are balanced by its largest value in each group.
    features : ndarray, shape (n, columns)
        For the range that the model was trained on.
    """

    learners: tuple[Learner, ...]
    targets: Mapping[str, tuple[tuple[str, ...], Labels]]
    group: Groups
    stratum: Labels
    features: Array

    def __len__(self) -> int:
        return len(self.group)


def group_folds(group: Groups, stratum: Labels, folds: int) -> Labels:
    """Fold 1..folds of each row: groups dealt out in turn, ordered by their largest stratum."""
    worst = {str(name): int(stratum[group == name].max()) for name in np.unique(group)}
    order = sorted(worst, key=lambda name: (worst[name], name))
    fold = {name: position % folds + 1 for position, name in enumerate(order)}
    return np.array([fold[str(name)] for name in group], dtype=np.int64)


def log_losses(margin: Array, label: Labels) -> Array:
    """Log-loss of each row, shape (n,), from margins of shape (n, 1) or (n, classes)."""
    scores = two_classes(margin) if margin.shape[1] == 1 else margin
    return np.asarray(logsumexp(scores, axis=1) - scores[np.arange(len(scores)), label])


class _Lane:
    """Training and left-out rows of one lane with their margins under the lane's global model."""

    def __init__(self, learner: Learner, left_out: NDArray[np.bool_]) -> None:
        kept = ~left_out[learner.row]
        self.learner = learner
        self.left_out = left_out
        self.training = matrix(
            learner.features[kept], learner.names, learner.label[kept].astype(np.float64), learner.weight[kept]
        )
        self.margin = np.zeros((int(kept.sum()), learner.outputs))
        self.out_features = learner.scored[left_out]
        self.out_margin = np.zeros((int(left_out.sum()), learner.outputs))
        self.out_label = learner.label[: len(learner.scored)][left_out]  # its first rows are the scored ones

    def leaves(self, document: Document) -> tuple[Labels, list[Array]]:
        """Leaf of each training row in each tree, shape (m, trees); and rows in each node (0 in inner ones)."""
        trees, _ = new_trees(document)
        self.training.set_base_margin(np.zeros(self.margin.size))
        leaves = booster_from(document).predict(self.training, pred_leaf=True).reshape(-1, len(trees)).astype(np.int64)
        sizes = [len(tree["left_children"]) for tree in trees]
        return leaves, [np.bincount(leaves[:, i], minlength=size).astype(float) for i, size in enumerate(sizes)]

    def leaf_sums(self, document: Document, minimum: int) -> list[Array]:
        leaves, counts = self.leaves(document)
        gradient, hessian = gradients(self.margin, self.training.get_label(), self.training.get_weight())
        sums = []
        for position, (tree, column) in enumerate(zip(*new_trees(document), strict=True)):
            size = len(tree["left_children"])
            values = (gradient[:, column], hessian[:, column])
            totals = np.column_stack([np.bincount(leaves[:, position], v, minlength=size) for v in values]).astype(
                float
            )
            merge_small_leaves(tree, counts[position], totals, minimum)
            sums.append(totals)
        return sums

    def left_out_loss(self) -> tuple[float, float]:
        rows = floored(len(self.out_margin))
        if rows == 0:
            return 0.0, 0.0
        return float(log_losses(self.out_margin, self.out_label).sum()), float(rows)

    def alone(self, settings: BoostingSettings, rounds: int, seed: int) -> Array:
        """Margins of the left-out rows under trees grown on this lane's rows and nothing else."""
        if not len(self.out_margin):
            return self.out_margin
        booster = boost(self.training, np.zeros_like(self.margin), rounds, settings, self.learner.outputs, seed)
        return margins(booster, self.out_features, self.learner.names)

    def absorb(self, booster: xgboost.Booster) -> None:
        self.training.set_base_margin(np.zeros(self.margin.size))
        self.margin += booster.predict(self.training, output_margin=True).reshape(self.margin.shape)
        if len(self.out_margin):
            self.out_margin += margins(booster, self.out_features, self.learner.names)


class TreeSite:
    """One site's rows, and the margin that each lane's global model gives them.

    Parameters
    ----------
    name : str
    rows : SiteRows
    plan : TreePlan
    seed : int
        Of row and column sampling; mixed with round, lane and the site's name.

    Raises
    ------
    ValueError
        There is nothing to train on.
    """

    def __init__(self, name: str, rows: SiteRows, plan: TreePlan, *, seed: int) -> None:
        if len(rows) == 0:
            raise ValueError(f"site {name} has no CTG to train on")
        self.name = name
        self.rows = rows
        self.plan = plan
        self.settings: BoostingSettings = plan.boosting.settings()
        self.seed = seed + sum(name.encode())
        self.lanes_each = plan.calibration_folds + 1
        self.fold = group_folds(rows.group, rows.stratum, plan.calibration_folds)
        self.lanes = [
            _Lane(learner, self.fold == number) for learner in rows.learners for number in range(self.lanes_each)
        ]

    def step(self, lane: int, round_number: int, rounds: int = 1) -> TreeReply:
        """Grow `rounds` boosting rounds on the lane's rows; the lane's margin stays as it is.

        No leaf of the reply holds fewer rows than the plan's `min_leaf_rows`; counts and loss changes are zeros, and
        so are leaf values where the server will refit them.
        """
        here = self.lanes[lane]
        seed = (self.seed * 1009 + round_number * 31 + lane) % 2**31
        grown = tree_json(boost(here.training, here.margin, rounds, self.settings, here.learner.outputs, seed))
        told = structure if self.plan.strategy == "refitted-trees" else without_statistics
        trees, tree_class = new_trees(grown)
        _, counts = here.leaves(grown)
        minimum, rate = self.plan.min_leaf_rows, self.settings.learning_rate
        kept = [told(pruned(tree, n, minimum, rate)) for tree, n in zip(trees, counts, strict=True)]
        return TreeReply(self.name, self.weight, kept, tree_class)

    @property
    def weight(self) -> float:
        """What its trees count in weighted bagging."""
        return site_weights(self.plan.weights, {self.name: SiteCounts(len(self.rows))})[self.name]

    def leaf_sums(self, lane: int, document: Document) -> list[Array]:
        """Gradient and Hessian summed over the lane's rows in each node of each proposed tree.

        Returns
        -------
        list of ndarray, shape (nodes, 2)
            One a tree; zero at nodes that are no leaves. They add over sites. Leaves with fewer rows than the plan's
            `merge_below` are told together with a neighbour.
        """
        return self.lanes[lane].leaf_sums(document, self.plan.merge_below)

    def left_out_losses(self) -> Array:
        """Summed log-loss of the rows that each lane leaves out under its margin, and how many, shape (lanes, 2).

        Both are 0 where there are fewer than five. They add over sites.
        """
        return np.array([lane.left_out_loss() for lane in self.lanes])

    def against_local(self, target: str) -> list[float]:
        """How the federated trees compare with trees of the site's own on the rows that each lane leaves out.

        Returns
        -------
        list of float
            Women (or records), and sum and sum of squares of their mean difference in log-loss, federated minus local,
            both before calibration; zeros for fewer than five.
        """
        difference: dict[str, list[float]] = {}
        names, label = self.rows.targets[target]
        for number in range(1, self.lanes_each):
            lanes = [lane for lane in self.lanes[number :: self.lanes_each] if lane.learner.name in names]
            out = lanes[0].left_out
            ours = np.mean([lane.out_margin for lane in lanes], axis=0)
            own = np.mean([lane.alone(self.settings, self.plan.rounds, self.seed + number) for lane in lanes], axis=0)
            gain = log_losses(ours, label[out]) - log_losses(own, label[out])
            for group, value in zip(self.rows.group[out], gain, strict=True):
                difference.setdefault(str(group), []).append(float(value))
        means = np.array([np.mean(values) for values in difference.values()])
        return [float(len(means)), float(means.sum()), float((means**2).sum())] if floored(len(means)) else [0.0] * 3

    def absorb(self, lane: int, document: Document) -> None:
        """Add the margin of trees that the server has merged since the last call."""
        self.lanes[lane].absorb(booster_from(document))

    def calibration_sums(self, target: str, calibration: Calibration) -> CalibrationSums:
        """Sums over the left-out women of the target's learners."""
        classes = len(calibration.bias)
        sums = CalibrationSums(np.zeros(classes), np.zeros((classes, classes)), 0, 0, 0)
        for out, margin, label in self.left_out_by_fold(target):
            sums += calibration_sums(calibration, margin, label, len(np.unique(self.rows.group[out])))
        return sums

    def left_out(self, target: str) -> tuple[Array, Labels]:
        """Margins of the left-out rows, shape (n, classes), and their classes, shape (n,)."""
        parts = self.left_out_by_fold(target)
        return np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])

    def left_out_by_fold(self, target: str) -> list[tuple[NDArray[np.bool_], Array, Labels]]:
        """Of each fold that is not empty: which rows, their margins, their classes."""
        names, label = self.rows.targets[target]
        parts = []
        for number in range(1, self.lanes_each):
            lanes = [lane for lane in self.lanes[number :: self.lanes_each] if lane.learner.name in names]
            out = lanes[0].left_out
            if out.any():
                margin = np.mean([lane.out_margin for lane in lanes], axis=0)
                parts.append((out, two_classes(margin) if margin.shape[1] == 1 else margin, label[out]))
        return parts

    def margins(self) -> list[Array]:
        """Margins of all lanes, training rows then left-out rows, to be kept between messages."""
        return [margin for lane in self.lanes for margin in (lane.margin, lane.out_margin)]

    def restore(self, kept: Sequence[Array]) -> None:
        """Put back what `margins` gave."""
        for position, lane in enumerate(self.lanes):
            lane.margin, lane.out_margin = kept[2 * position].copy(), kept[2 * position + 1].copy()
