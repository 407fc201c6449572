"""A shared representation through Flower's simulation, in a process of its own: the same figures as in this process."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from federated.plan import load
from federated.run import control
from federated.run.folder import RunFolder
from federated.run.status import read_status
from models.bundle import shipped
from tests.conftest import need

pytestmark = [pytest.mark.soak, pytest.mark.network]
PLAN = """
name = "shared-synthetic"
seed = 7
synthetic = true
[shared]
mode = "transfer"
align = ["prototypes", "coral", "cca"]
rounds = 2
folds = 2
[shared.table]
sites = 3
alpha = 1.0
[shared.trace]
sites = 2
alpha = 5.0
[shared.scan]
sites = 2
alpha = 5.0
[shared.compression]
kind = "int8"
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    home = tmp_path_factory.mktemp("shared")
    (home / "plan.toml").write_text(PLAN)
    folder, _ = control.prepare(home / "runs", load(home / "plan.toml"))
    subprocess.run(control.command(folder, None, shipped()), check=True, timeout=280)
    return folder


def test_it_makes_figures_and_no_bundle(finished: Path) -> None:
    status = read_status(finished)
    assert (status.state, status.candidate, status.gate) == ("finished", None, None)
    assert not (finished / "candidate").exists()
    kinds = [event["kind"] for event in RunFolder(finished).events()]
    assert kinds.count("round") == 3 * 2  # warm-up, source, target
    assert kinds.count("judged") == 3
    assert "note" in kinds
    rounds = [event for event in RunFolder(finished).events() if event["kind"] == "round"]
    assert all(event["bytes"] < event["bytes_down"] / 2 for event in rounds)
    assert {len(event["site_loss"]) for event in rounds} == {2, 5}


def test_flower_gives_the_same_figures_as_the_loop_in_process(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from federated.shared.data import site_examples
    from federated.shared.metrics import judged
    from federated.shared.site import SharedSite
    from federated.sites.site import SITES_VARIABLE, site_of_partition
    from studies.in_process import train_shared_sites

    monkeypatch.setenv(SITES_VARIABLE, str(finished / "sites"))
    plan = load(finished / "plan.toml")
    assert plan.shared is not None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    held = list(map(site_of_partition, range(7)))
    sites = [SharedSite(site.name, site_examples(site, plan), plan.shared, seed=plan.seed) for site in held]
    positions = {site.name: position for position, site in enumerate(held)}
    left_out, _, _ = train_shared_sites(sites, plan.shared, plan.seed, positions)
    torch.set_num_threads(threads)
    stored = json.loads((finished / "results.json").read_text())["shared"]["sites"]
    assert set(stored) == set(left_out)
    for site in sites:
        for name, value in judged(site.examples.labels, left_out[site.name]).items():
            np.testing.assert_allclose(stored[site.name][name], value, rtol=1e-5, err_msg=f"{site.name} {name}")


def test_a_run_that_ended_before_it_was_judged_is_judged_when_it_goes_on(finished: Path) -> None:
    before = json.loads((finished / "results.json").read_text())["shared"]
    (finished / "checkpoints" / "shared-target.json").unlink()
    subprocess.run(control.command(finished, None, shipped()), check=True, timeout=280)
    after = json.loads((finished / "results.json").read_text())["shared"]
    assert after == before
    assert after["notes"]["cca"]
    assert [event["kind"] for event in RunFolder(finished).events()].count("round") == 3 * 2


def test_a_site_that_cannot_take_part_ends_the_run_in_one_line(tmp_path: Path) -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    (tmp_path / "plan.toml").write_text(PLAN)
    folder, _ = control.prepare(tmp_path / "runs", load(tmp_path / "plan.toml"))
    line = control.command(folder, None, shipped())
    code = (
        "import federated.sites.simulated as s; real = s._sites\n"
        "s._sites = lambda *a: [s.replace(one, strata=[one.rows, 0, 0]) for one in real(*a)]\n"
        "import sys; from federated.job import main; sys.exit(main(sys.argv[1:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *line[3:]], capture_output=True, text=True, timeout=280, check=False
    )
    assert ended.returncode == 1
    assert "all of its rows are of one class: give it others, or leave it out" in read_status(folder).reason
    assert "Traceback" not in ended.stdout + ended.stderr
