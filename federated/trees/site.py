"""What one site does in the federated boosting of trees.

A *learner* is one model to be trained: a view of the pattern model, or one threshold model of the acidaemia model. Each
learner is trained with k-fold cross-fitting: model 0 trains on all women of the site, and models 1 to k each leave one
fold out. Their out-of-fold margins calibrate model 0. All fold models travel in one message, because the number of
messages determines the cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from federated.plan import TreePlan
from federated.privacy.small_cells import suppress_small
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
    """One model to be trained, with the rows that it learns from.

    Attributes
    ----------
    name : str
    outputs : int
        1 (logistic), or the number of classes (softmax).
    names : tuple of str
        Names of the columns.
    features, label, weight, row : ndarray, m training rows
        `row` is the index of the scored row that each belongs to; several may be views of one row.
    scored : ndarray, shape (n, columns)
        Features by which each of the site's rows is scored when its woman is out of fold.
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
        The quantities that are calibrated: the learners whose margins are averaged, and the class of each row.
    group : ndarray of str, shape (n,)
        Woman or record.
    stratum : ndarray of int64, shape (n,)
        Folds are balanced by its largest value in each group.
    features : ndarray, shape (n, columns)
        All measured features, for the range that the model is trained on.
    """

    learners: tuple[Learner, ...]
    targets: Mapping[str, tuple[tuple[str, ...], Labels]]
    group: Groups
    stratum: Labels
    features: Array

    def __len__(self) -> int:
        return len(self.group)


def group_folds(group: Groups, stratum: Labels, folds: int) -> Labels:
    """Fold of each row, 1 to `folds`: groups are assigned in turn, in the order of their largest stratum."""
    worst = {str(name): int(stratum[group == name].max()) for name in np.unique(group)}
    order = sorted(worst, key=lambda name: (worst[name], name))
    fold = {name: position % folds + 1 for position, name in enumerate(order)}
    return np.array([fold[str(name)] for name in group], dtype=np.int64)


def log_losses(margin: Array, label: Labels) -> Array:
    """Log-loss of each row, shape (n,), from margins of shape (n, 1) or (n, classes)."""
    scores = two_classes(margin) if margin.shape[1] == 1 else margin
    return np.asarray(logsumexp(scores, axis=1) - scores[np.arange(len(scores)), label])


class _FoldModel:
    """Training rows and out-of-fold rows of one fold model, with their margins under the federated trees."""

    def __init__(self, learner: Learner, out_of_fold: NDArray[np.bool_]) -> None:
        trained = ~out_of_fold[learner.row]
        self.learner = learner
        self.out_of_fold = out_of_fold
        self.training = matrix(
            learner.features[trained], learner.names, learner.label[trained].astype(np.float64), learner.weight[trained]
        )
        self.margin = np.zeros((int(trained.sum()), learner.outputs))
        self.out_features = learner.scored[out_of_fold]
        self.out_margin = np.zeros((int(out_of_fold.sum()), learner.outputs))
        self.out_label = learner.label[: len(learner.scored)][out_of_fold]  # its first rows are the scored ones

    def leaves(self, document: Document) -> tuple[Labels, list[Array]]:
        """Leaf of each training row in each tree, shape (m, trees), and the rows in each node (0 in inner nodes)."""
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
            sums.append(merge_small_leaves(tree, counts[position], totals, minimum)[1])
        return sums

    def out_of_fold_loss(self) -> tuple[float, float]:
        rows = suppress_small(len(self.out_margin))
        if rows == 0:
            return 0.0, 0.0
        return float(log_losses(self.out_margin, self.out_label).sum()), float(rows)

    def alone(self, settings: BoostingSettings, rounds: int, seed: int) -> Array:
        """Margins of the out-of-fold rows under trees that are grown on the site's own rows alone."""
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
    """One site's rows, and the margin that the federated trees of each fold model give them.

    Parameters
    ----------
    name : str
    rows : SiteRows
    plan : TreePlan
    seed : int
        Seed of row and column sampling; combined with round, fold model and the site's name.

    Raises
    ------
    ValueError
        The site has no rows.
    """

    def __init__(self, name: str, rows: SiteRows, plan: TreePlan, *, seed: int) -> None:
        if len(rows) == 0:
            raise ValueError(f"site {name} has no CTG to train on")
        self.name = name
        self.rows = rows
        self.plan = plan
        self.settings: BoostingSettings = plan.boosting.settings()
        self.seed = seed + sum(name.encode())
        self.fold_models_each = plan.calibration_folds + 1
        self.fold = group_folds(rows.group, rows.stratum, plan.calibration_folds)
        self.fold_models = [
            _FoldModel(learner, self.fold == number)
            for learner in rows.learners
            for number in range(self.fold_models_each)
        ]

    def step(self, fold_model: int, round_number: int, rounds: int = 1) -> TreeReply:
        """Grow `rounds` boosting rounds on the fold model's rows; its margin does not change.

        No leaf of the reply has fewer rows than the plan's `min_leaf_rows`. Counts and loss changes are zeros, and so
        are leaf values that the server will refit.
        """
        model = self.fold_models[fold_model]
        seed = (self.seed * 1009 + round_number * 31 + fold_model) % 2**31
        grown = tree_json(boost(model.training, model.margin, rounds, self.settings, model.learner.outputs, seed))
        visible = structure if self.plan.strategy == "refitted-trees" else without_statistics
        trees, tree_class = new_trees(grown)
        _, counts = model.leaves(grown)
        minimum, rate = self.plan.min_leaf_rows, self.settings.learning_rate
        pruned_trees = [visible(pruned(tree, n, minimum, rate)) for tree, n in zip(trees, counts, strict=True)]
        return TreeReply(self.name, self.weight, pruned_trees, tree_class)

    @property
    def weight(self) -> float:
        """Weight of its trees in weighted bagging."""
        return site_weights(self.plan.weights, {self.name: SiteCounts(len(self.rows))})[self.name]

    def leaf_sums(self, fold_model: int, document: Document) -> list[Array]:
        """Gradient and Hessian summed over the fold model's rows in each node of each proposed tree.

        Returns
        -------
        list of ndarray, shape (nodes, 2)
            One array for each tree, zero at inner nodes. They add over sites. Leaves with fewer rows than the plan's
            `merge_below` are merged with a neighbour.
        """
        return self.fold_models[fold_model].leaf_sums(document, self.plan.merge_below)

    def out_of_fold_losses(self) -> Array:
        """Summed log-loss of the out-of-fold rows of each fold model, and their number, shape (fold models, 2).

        Both are 0 for fewer than five rows. They add over sites.
        """
        return np.array([fold_model.out_of_fold_loss() for fold_model in self.fold_models])

    def against_local(self, target: str) -> list[float]:
        """Compare the federated trees with trees of the site's own, on out-of-fold rows.

        Returns
        -------
        list of float
            Number of women (or records), and the sum and the sum of squares of their mean differences in log-loss,
            federated minus local, both before calibration; zeros for fewer than five women.
        """
        difference: dict[str, list[float]] = {}
        names, label = self.rows.targets[target]
        for number in range(1, self.fold_models_each):
            fold_models = [
                fold_model
                for fold_model in self.fold_models[number :: self.fold_models_each]
                if fold_model.learner.name in names
            ]
            out = fold_models[0].out_of_fold
            ours = np.mean([fold_model.out_margin for fold_model in fold_models], axis=0)
            own = np.mean(
                [fold_model.alone(self.settings, self.plan.rounds, self.seed + number) for fold_model in fold_models],
                axis=0,
            )
            gain = log_losses(ours, label[out]) - log_losses(own, label[out])
            for group, value in zip(self.rows.group[out], gain, strict=True):
                difference.setdefault(str(group), []).append(float(value))
        means = np.array([np.mean(values) for values in difference.values()])
        return (
            [float(len(means)), float(means.sum()), float((means**2).sum())]
            if suppress_small(len(means))
            else [0.0] * 3
        )

    def absorb(self, fold_model: int, document: Document) -> None:
        """Add the margin of trees that the server has merged."""
        self.fold_models[fold_model].absorb(booster_from(document))

    def calibration_sums(self, target: str, calibration: Calibration) -> CalibrationSums:
        """Sums over the out-of-fold women, for one Newton step of the target's calibration."""
        classes = len(calibration.bias)
        sums = CalibrationSums(np.zeros(classes), np.zeros((classes, classes)), 0, 0, 0)
        for out, margin, label in self.out_of_fold_by_fold(target):
            sums += calibration_sums(calibration, margin, label, len(np.unique(self.rows.group[out])))
        return sums

    def out_of_fold(self, target: str) -> tuple[Array, Labels]:
        """Margins of the out-of-fold rows, shape (n, classes), and their classes, shape (n,)."""
        parts = self.out_of_fold_by_fold(target)
        return np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])

    def out_of_fold_by_fold(self, target: str) -> list[tuple[NDArray[np.bool_], Array, Labels]]:
        """For each fold with rows: the mask of its rows, their margins and their classes."""
        names, label = self.rows.targets[target]
        parts = []
        for number in range(1, self.fold_models_each):
            fold_models = [
                fold_model
                for fold_model in self.fold_models[number :: self.fold_models_each]
                if fold_model.learner.name in names
            ]
            out = fold_models[0].out_of_fold
            if out.any():
                margin = np.mean([fold_model.out_margin for fold_model in fold_models], axis=0)
                parts.append((out, two_classes(margin) if margin.shape[1] == 1 else margin, label[out]))
        return parts

    def margins(self) -> list[Array]:
        """Margins of all fold models, training rows and then out-of-fold rows, to be stored between messages."""
        return [margin for fold_model in self.fold_models for margin in (fold_model.margin, fold_model.out_margin)]

    def restore(self, margins: Sequence[Array]) -> None:
        """Restore the margins that `margins` gave."""
        for position, fold_model in enumerate(self.fold_models):
            fold_model.margin, fold_model.out_margin = margins[2 * position].copy(), margins[2 * position + 1].copy()
