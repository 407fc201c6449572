"""What one CTG site does in the federation of boosted trees.

A *lane* is one model in the making. A view's first lane learns from all of the site's women, its lane
i > 0 leaves the women of fold i out; the margins that lanes 1..k give to the women they left out, whom
none of their trees has seen, calibrate the first. All lanes travel in one message, because messages
are what costs.
"""

import numpy as np
import xgboost
from numpy.typing import NDArray

from federated.plan import CtgPlan
from federated.strategies.weighted_bagging import Document, TreeReply, new_trees
from models.ctg.features import as_trace_would
from models.ctg.pattern import (
    BoostingSettings,
    Calibration,
    CalibrationSums,
    View,
    boost,
    booster_from,
    calibration_sums,
    margins,
    softmax_gradients,
    tree_json,
    view_matrix,
)
from models.datasets.uci_ctg import CtgTable

Array = NDArray[np.float64]


def woman_folds(woman: NDArray[np.str_], state: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Fold 1..folds of each row: women dealt out in turn, ordered by their worst state."""
    worst = {str(name): int(state[woman == name].max()) for name in np.unique(woman)}
    order = sorted(worst, key=lambda name: (worst[name], name))
    fold = {name: position % folds + 1 for position, name in enumerate(order)}
    return np.array([fold[str(name)] for name in woman], dtype=np.int64)


class _Lane:
    """Training and left-out rows of one lane with their margins under the lane's global model."""

    def __init__(self, table: CtgTable, out: NDArray[np.bool_], settings: BoostingSettings, view: View) -> None:
        self.view = view
        self.left_out = out
        self.training = view_matrix(table.features[~out], table.state[~out], settings, view)
        self.margin = np.zeros((self.training.num_row(), 3))
        self.out_features = as_trace_would(table.features[out]) if view == "trace" else table.features[out]
        self.out_margin = np.zeros((int(out.sum()), 3))

    def leaf_sums(self, document: Document) -> list[Array]:
        trees, tree_class = new_trees(document)
        self.training.set_base_margin(np.zeros(3 * self.training.num_row()))
        leaves = booster_from(document).predict(self.training, pred_leaf=True).reshape(-1, len(trees)).astype(np.int64)
        gradient, hessian = softmax_gradients(self.margin, self.training.get_label(), self.training.get_weight())
        sums = []
        for position, (tree, column) in enumerate(zip(trees, tree_class, strict=True)):
            size = len(tree["left_children"])
            values = (gradient[:, column], hessian[:, column])
            totals = [np.bincount(leaves[:, position], v, minlength=size) for v in values]
            sums.append(np.column_stack(totals).astype(np.float64))
        return sums

    def absorb(self, booster: xgboost.Booster) -> None:
        self.training.set_base_margin(np.zeros(3 * self.training.num_row()))
        self.margin += booster.predict(self.training, output_margin=True)
        if len(self.out_margin):
            self.out_margin += margins(booster, self.out_features)


class TreeSite:
    """One site's rows, and the margin that each lane's global model gives them.

    Parameters
    ----------
    name : str
    table : CtgTable
        The site's rows.
    plan : CtgPlan
    views : tuple of {"table", "trace"}
        One group of lanes a view.
    seed : int
        Of row and column sampling; mixed with round, lane and the site's name.

    Raises
    ------
    ValueError
        There is nothing to train on.
    """

    def __init__(self, name: str, table: CtgTable, plan: CtgPlan, views: tuple[View, ...], *, seed: int) -> None:
        if len(table) == 0:
            raise ValueError(f"site {name} has no CTG to train on")
        self.name = name
        self.table = table
        self.settings = plan.boosting.settings()
        self.seed = seed + sum(name.encode())
        fold = woman_folds(self.table.woman, self.table.state, plan.calibration_folds)
        self.lanes = [
            _Lane(self.table, fold == number, self.settings, view)
            for view in views
            for number in range(plan.calibration_folds + 1)
        ]

    def step(self, lane: int, round_number: int, rounds: int = 1) -> TreeReply:
        """Grow `rounds` boosting rounds on the lane's rows; the lane's margin stays as it is."""
        here = self.lanes[lane]
        seed = (self.seed * 1009 + round_number * 31 + lane) % 2**31
        booster = boost(here.training, here.margin, rounds, self.settings, seed)
        trees, tree_class = new_trees(tree_json(booster))
        return TreeReply(self.name, float(len(self.table)), trees, tree_class)

    def leaf_sums(self, lane: int, document: Document) -> list[Array]:
        """Gradient and Hessian summed over the lane's rows in each node of each proposed tree.

        Returns
        -------
        list of ndarray, shape (nodes, 2)
            One a tree; zero at nodes that are no leaves. They add over sites.
        """
        return self.lanes[lane].leaf_sums(document)

    def absorb(self, lane: int, document: Document) -> None:
        """Add the margin of trees that the server has merged since the last call."""
        self.lanes[lane].absorb(booster_from(document))

    def calibration_sums(self, view: View, calibration: Calibration) -> CalibrationSums:
        """Sums over the left-out women of the view's lanes."""
        sums = CalibrationSums(np.zeros(3), np.zeros((3, 3)), 0, 0, 0)
        for lane in self.lanes:
            if lane.view == view and lane.left_out.any():
                women = len(np.unique(self.table.woman[lane.left_out]))
                sums += calibration_sums(calibration, lane.out_margin, self.table.state[lane.left_out], women)
        return sums

    def left_out(self, view: View) -> tuple[Array, NDArray[np.int64]]:
        """Margins of the view's left-out rows, shape (n, 3), and their states, shape (n,)."""
        lanes = [lane for lane in self.lanes if lane.view == view and lane.left_out.any()]
        margin = np.concatenate([lane.out_margin for lane in lanes])
        return margin, np.concatenate([self.table.state[lane.left_out] for lane in lanes])

    def margins(self) -> list[Array]:
        """Margins of all lanes, training rows then left-out rows, to be kept between messages."""
        return [margin for lane in self.lanes for margin in (lane.margin, lane.out_margin)]

    def restore(self, kept: list[Array]) -> None:
        """Put back what `margins` gave."""
        for position, lane in enumerate(self.lanes):
            lane.margin, lane.out_margin = kept[2 * position].copy(), kept[2 * position + 1].copy()
