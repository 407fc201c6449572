"""Small sites on synthetic rows, and a federation of real processes over TLS on loopback."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from federated.plan import BoostingPlan, CtgPlan
from federated.sites.partition import ctg_sites
from federated.trees.site import TreeSite
from federated.trees.tasks import pattern_rows
from models.datasets import uci_ctg
from tests.conftest import need

PLAN = CtgPlan(sites=3, alpha=1.0, rounds=4, calibration_folds=2, boosting=BoostingPlan(learning_rate=0.3))


@pytest.fixture(scope="session")
def table(ctg_data: Path) -> uci_ctg.CtgTable:
    return uci_ctg.read(ctg_data)


@pytest.fixture
def sites(table: uci_ctg.CtgTable) -> list[TreeSite]:
    site_of = ctg_sites(table, PLAN, seed=3)
    return [site(f"site-{k}", table.rows(np.flatnonzero(site_of == k)), seed=5) for k in range(3)]


def site(name: str, table: uci_ctg.CtgTable, plan: CtgPlan = PLAN, *, seed: int) -> TreeSite:
    """A site with the table view alone."""
    return TreeSite(name, pattern_rows(table, plan, ("table",)), plan, seed=seed)


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Loopback"]:  # type: ignore[name-defined] # noqa: F821
    """A served federation of three hospitals whose nodes are connected."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    from benchmarks.loopback import Loopback

    made = Loopback(tmp_path_factory.mktemp("federation"))
    try:
        made.open()
        yield made
    finally:
        made.stop()
