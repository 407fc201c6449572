"""Federated trees beside central ones: on alike sites the log-loss of unseen women is nearly the same."""

from pathlib import Path

import numpy as np
import pytest

from federated.sites.partition import ctg_sites
from federated.trees.rounds import empty_frame
from federated.trees.site import TreeSite, log_losses
from models.ctg.features import DESIGN_NAMES
from models.datasets.uci_ctg import CtgTable, read
from models.synthetic.datasets import write_uci
from studies.in_process import boost_sites
from tests.federated.conftest import PLAN, site

FRAME = empty_frame(PLAN.boosting.settings(), 3, DESIGN_NAMES)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> CtgTable:
    """Synthetic women of whom some get a wrong state, so that no model is perfect."""
    folder: Path = tmp_path_factory.mktemp("uci")
    write_uci(folder, women=120, seed=4)
    table = read(folder)
    draw = np.random.default_rng(5)
    wrong = draw.random(len(table)) < 0.15
    table.state[wrong] = draw.integers(0, 3, int(wrong.sum()))
    return table


def left_out_loss(sites: list[TreeSite]) -> float:
    """Mean log-loss of women that no tree of their lane has seen, before calibration."""
    parts = [one.out_of_fold("table") for one in sites]
    margin, label = (np.concatenate([part[position] for part in parts]) for position in (0, 1))
    return float(log_losses(margin, label).mean())


@pytest.mark.slow
def test_on_alike_sites_the_log_loss_is_within_a_tenth_of_the_central_one(noisy: CtgTable) -> None:
    plan = PLAN.model_copy(update={"rounds": 15, "sites": 4, "alpha": 1000.0})
    site_of = ctg_sites(noisy, plan, seed=3)
    apart = [site(f"site-{k}", noisy.rows(np.flatnonzero(site_of == k)), plan, seed=5) for k in range(4)]
    together = [site("all", noisy, plan.without_suppression(), seed=5)]
    boost_sites(apart, plan, FRAME)
    boost_sites(together, plan.without_suppression(), FRAME)
    federated, central = left_out_loss(apart), left_out_loss(together)
    assert central < 0.9
    assert federated < 1.1 * central
