"""An attack on what a site sends while trees are trained: how many of its records can be rebuilt from it?

After TimberStrike (Di Gennaro M et al. arXiv 2506.07605). The attacker, the server, has a site's trees and how many of
its rows end in each leaf, and knows what such records look like: columns of other hospitals' records. By simulated
annealing it looks for as many records as the site has whose counts in all leaves are the same. *Chance* is where
the search starts: columns drawn one by one. The attacker is given the counts themselves, in every round: more than sums
of Hessians tell. How far the search comes (`misfit`) is stored beside what it finds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from federated.plan import SMALL_CELL, CtgPlan, Plan
from federated.sites.partition import ctg_sites
from federated.trees.documents import Document, is_leaf, merge_small_leaves, new_trees
from federated.trees.refitting import Sums
from federated.trees.rounds import add, finish_round, frame_of, proposal_of
from federated.trees.site import TreeSite
from federated.trees.tasks import pattern_rows
from models.datasets import uci_ctg
from studies.resume import Rows, resume

Array = NDArray[np.float64]
Index = NDArray[np.int64]
ROUNDS, STEPS = 20, 60000
HOT, COLD = 2.0, 0.05  # temperatures, in rows that end in a wrong leaf
TOLERANCE, SHARE = 0.05, 0.8
# Flower's XGBoost example grows trees of depth 8 on all rows and columns; "stock, shallow" has the shipped depth.
STOCK: dict[str, dict[str, Any]] = {
    "stock": {"max_depth": 8, "min_child_weight": 1.0, "subsample": 1.0, "colsample_bynode": 1.0},
    "stock, shallow": {"subsample": 1.0},
}
ARMS = (*STOCK, "refitted", "refitted, small leaves apart")
SeenCounts = list[tuple[Document, Array]]


def overheard(sites: Sequence[TreeSite], target: int, plan: CtgPlan, arm: str) -> SeenCounts:
    """Train for twenty rounds; give the trees of one site's fold model 0, and the site's rows in each leaf."""
    frame = frame_of(plan)
    seen: SeenCounts = []
    for round_number in range(1, ROUNDS + 1):
        replies = [site.step(0, round_number) for site in sites]
        proposal = proposal_of(plan, frame, replies)
        totals: list[Sums] | None = None
        for site in sites:
            totals = add(totals, site.leaf_sums(0, proposal))
        heard = proposal_of(plan, frame, [replies[target]]) if arm in STOCK else proposal
        _, counts = sites[target].fold_models[0].leaves(heard)
        for tree, count in zip(new_trees(heard)[0], counts, strict=True):
            if arm == "refitted":
                count, _ = merge_small_leaves(tree, count, np.zeros((len(count), 2)), plan.merge_below)
            seen.append((tree, count))
        merged = finish_round(plan, proposal, totals or [])
        for site in sites:
            site.absorb(0, merged)
    return seen


@dataclass(frozen=True)
class Forest:
    """Trees as flat arrays, for fast descent; a leaf is its own child."""

    roots: Index
    feature: Index
    threshold: NDArray[np.float32]
    left: Index
    right: Index
    depth: int

    @classmethod
    def of(cls, trees: Sequence[Document]) -> "Forest":
        """From XGBoost's JSON; no value is missing."""
        sizes = [len(tree["left_children"]) for tree in trees]
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        own, offset = np.arange(sum(sizes)), np.repeat(roots, sizes)

        def joined(name: str) -> Array:
            return np.concatenate([np.asarray(tree[name], dtype=np.float64) for tree in trees])

        left, right = joined("left_children").astype(np.int64), joined("right_children").astype(np.int64)
        inner = left != -1
        children = (np.where(inner, left + offset, own), np.where(inner, right + offset, own))
        threshold = np.where(inner, joined("split_conditions"), np.inf)
        threshold = threshold.astype(np.float32)  # as XGBoost compares
        return cls(roots, joined("split_indices").astype(np.int64), threshold, *children, max(_depth(t) for t in trees))

    def leaves(self, record: Array) -> Index:
        """The node where a record ends in each tree, shape (trees,)."""
        node = self.roots
        for _ in range(self.depth):
            left = record[self.feature[node]] < self.threshold[node]
            node = np.where(left, self.left[node], self.right[node])
        return node


def _depth(tree: Document) -> int:
    level = [0] * len(tree["left_children"])
    for node, (left, right) in enumerate(zip(tree["left_children"], tree["right_children"], strict=True)):
        if left != -1:
            level[left] = level[right] = level[node] + 1
    return max(level)


def rebuild(seen: SeenCounts, pool: Array, rows: int, seed: int, steps: int = STEPS) -> tuple[Array, Array, float]:
    """Records before and after the search, each of shape (rows, columns), and the share of counts that do not fit.

    Parameters
    ----------
    seen : list of (tree, ndarray)
        Rows in each node, inner ones 0.
    pool : ndarray, shape (m, columns)
        Other hospitals' records, no value missing.
    rows, seed, steps : int
    """
    rng = np.random.default_rng(seed)
    pool = pool.astype(np.float32)
    forest = Forest.of([tree for tree, _ in seen])
    used = np.unique(forest.feature[np.isfinite(forest.threshold)])
    start = np.column_stack([rng.choice(pool[:, column], rows) for column in range(pool.shape[1])])
    guess = start.copy()
    ends = [forest.leaves(record) for record in guess]
    gap = -np.concatenate([counts for _, counts in seen])
    for end in ends:
        gap[end] += 1
    for step in range(steps):
        row = int(rng.integers(rows))
        record, some = guess[row].copy(), rng.choice(used, size=int(rng.integers(1, 3)))
        record[some] = pool[rng.integers(len(pool), size=len(some)), some]
        end = forest.leaves(record)
        moved = end != ends[row]
        out, into = ends[row][moved], end[moved]
        worse = float((np.abs(gap[out] - 1) - np.abs(gap[out]) + np.abs(gap[into] + 1) - np.abs(gap[into])).sum())
        if worse <= 0 or rng.random() < np.exp(-worse / (HOT * (COLD / HOT) ** (step / steps))):
            gap[out] -= 1
            gap[into] += 1
            guess[row], ends[row] = record, end
    return start, guess, float(np.abs(gap).sum() / (2 * rows * len(seen)))


def recovered(truth: Array, guess: Array, spread: Array) -> tuple[float, float]:
    """Share of values within 5 % of the column's range, and of records with four fifths of their values so.

    Each guessed record is matched with one true record, as favourably as possible.
    """
    near = np.abs(truth[:, None, :] - guess[None, :, :]) <= TOLERANCE * spread
    hits = near.mean(axis=2)
    ours, theirs = linear_sum_assignment(-hits)
    return float(hits[ours, theirs].mean()), float((hits[ours, theirs] >= SHARE).mean())


def study(folder: Path, plan: Plan, output: Path, wanted: list[str]) -> None:
    """Write ``reconstruction.csv``: a row a site and arm, for the sites of the plan's partition."""
    base = plan.ctg or CtgPlan()
    table = uci_ctg.read(folder)
    site_of = ctg_sites(table, base, plan.seed)

    def make(arm: str) -> Rows:
        changes = {"strategy": "weighted-bagging", "min_leaf_rows": 1} if arm in STOCK else {}
        boosting = base.boosting.model_copy(update=STOCK.get(arm, {}))
        recipe = base.model_copy(update={**changes, "boosting": boosting})
        rebuilt: Rows = []
        for target in range(int(site_of.max()) + 1):
            sites_rows = [
                pattern_rows(table.rows(np.flatnonzero(site_of == k)), recipe, ("table",)) for k in np.unique(site_of)
            ]
            sites = [TreeSite(f"site-{k + 1}", rows, recipe, seed=plan.seed) for k, rows in enumerate(sites_rows)]
            truth = sites_rows[target].learners[0].features
            others = np.vstack([rows.learners[0].features for k, rows in enumerate(sites_rows) if k != target])
            whole = ~np.isnan(np.vstack([truth, others])).any(axis=0)
            seen = overheard(sites, target, recipe, arm)
            spread = np.maximum(np.ptp(others[:, whole], axis=0), 1e-12)
            start, guess, misfit = rebuild(seen, np.nan_to_num(others), len(truth), plan.seed + target)
            cells = np.concatenate([counts[is_leaf(tree)] for tree, counts in seen])
            row: dict[str, Any] = {"part": arm, "site": target + 1, "rows": len(truth), "misfit": round(misfit, 4)}
            row["small_cells"] = round(float(((cells > 0) & (cells < SMALL_CELL)).mean()), 4)
            for name, records in (("chance", start), ("attack", guess)):
                values, hit = recovered(truth[:, whole], records[:, whole], spread)
                row |= {f"{name}_values": round(values, 4), f"{name}_records": round(hit, 4)}
            print(row, flush=True)
            rebuilt.append(row)
        return rebuilt

    resume(output / "reconstruction.csv", "part", wanted or ARMS, make)
