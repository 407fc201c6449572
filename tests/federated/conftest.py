"""Small sites on synthetic rows."""

from pathlib import Path

import numpy as np
import pytest

from federated.plan import BoostingPlan, CtgPlan
from federated.sites import ctg_sites
from federated.tree_site import TreeSite
from federated.tree_tasks import pattern_rows
from models.datasets import uci_ctg

PLAN = CtgPlan(sites=3, alpha=1.0, rounds=4, calibration_folds=2, boosting=BoostingPlan(learning_rate=0.3))


@pytest.fixture(scope="session")
def table(data: Path) -> uci_ctg.CtgTable:
    return uci_ctg.read(data / "ctg")


@pytest.fixture
def sites(table: uci_ctg.CtgTable) -> list[TreeSite]:
    site_of = ctg_sites(table, PLAN, seed=3)
    return [site(f"site-{k}", table.rows(np.flatnonzero(site_of == k)), seed=5) for k in range(3)]


def site(name: str, table: uci_ctg.CtgTable, plan: CtgPlan = PLAN, *, seed: int) -> TreeSite:
    """A site with the table view alone."""
    return TreeSite(name, pattern_rows(table, plan, ("table",)), plan, seed=seed)
