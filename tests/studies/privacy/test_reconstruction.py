"""The attack fits the counts it is given; what it finds is scored as favourably as possible."""

from pathlib import Path

import numpy as np

from federated.plan import Plan
from models.datasets.uci_ctg import CtgTable
from studies.privacy import reconstruction
from studies.privacy.reconstruction import Forest, rebuild, recovered
from tests.federated.conftest import PLAN, site


def test_descent_is_xgboosts(table: CtgTable) -> None:
    plan = PLAN.model_copy(update={"strategy": "weighted-bagging"})
    one = site("one", table, plan, seed=1)
    told = reconstruction.overheard([one], 0, plan, "stock")[:9]
    forest = Forest.of([tree for tree, _ in told])
    features = np.nan_to_num(one.rows.learners[0].features).astype(np.float32)
    whole = ~np.isnan(one.rows.learners[0].features).any(axis=1)
    counts = np.zeros(sum(len(c) for _, c in told))
    for record in features[whole]:
        counts[forest.leaves(record)] += 1
    if whole.all():
        np.testing.assert_array_equal(counts, np.concatenate([c for _, c in told]))
    assert counts.sum() == whole.sum() * len(told)


def test_one_column_cut_finely_gives_its_values_away() -> None:
    """Cuts at every tenth and exact counts: the search must find how many records lie in each interval."""
    rng = np.random.default_rng(0)
    truth = rng.random((40, 1))
    cuts = np.arange(0.05, 1.0, 0.05)
    told = []
    for cut in cuts:
        tree = {
            "left_children": [1, -1, -1],
            "right_children": [2, -1, -1],
            "split_indices": [0, 0, 0],
            "split_conditions": [float(cut), 0.0, 0.0],
        }
        below = float((truth[:, 0] < cut).sum())
        told.append((tree, np.array([0.0, below, 40 - below])))
    start, guess, misfit = rebuild(told, rng.random((500, 1)), 40, 1, steps=20000)
    assert misfit < 0.01
    edges = np.concatenate([[0], cuts, [1]])
    np.testing.assert_array_equal(np.histogram(guess, edges)[0], np.histogram(truth, edges)[0])
    assert recovered(truth, guess, np.ones(1))[0] > recovered(truth, start, np.ones(1))[0]


def test_recovery_is_matched_one_to_one() -> None:
    truth = np.arange(12.0).reshape(4, 3)
    assert recovered(truth, truth[::-1], np.full(3, 10.0)) == (1.0, 1.0)
    assert recovered(truth, truth + 100, np.full(3, 10.0)) == (0.0, 0.0)


def test_the_study_stores_a_row_a_site(ctg_data: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(reconstruction, "ROUNDS", 2)
    monkeypatch.setattr(reconstruction.rebuild, "__defaults__", (200,))
    plan = Plan(name="t", seed=3, ctg=PLAN)
    reconstruction.study(ctg_data, plan, tmp_path, ["refitted"])
    rows = (tmp_path / "reconstruction.csv").read_text().splitlines()
    assert len(rows) == 1 + 3
    assert rows[0].startswith("part,site,rows,misfit,small_cells,chance_values")
    assert all(row.split(",")[4] == "0.0" for row in rows[1:])
