"""The whole retraining through Flower's simulation, in a process of its own."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from federated.plan import load, shipped_plans
from federated.run import control
from federated.run.status import read_status
from models.bundle import Bundle
from models.ctg.acidaemia import TARGETS
from models.ctg.boosting import booster_from
from models.ctg.pattern import VIEWS
from tests.conftest import need

pytestmark = [pytest.mark.soak, pytest.mark.network]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic run that is interrupted in its CTG rounds and resumed."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    folder, _ = control.prepare(tmp_path_factory.mktemp("runs"), load(shipped_plans()["synthetic"]))
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    line = [sys.executable, "-m", "federated.job", str(folder)]
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        for text in first.stdout:
            if "round 2/5" in text:
                first.send_signal(signal.SIGINT)
                break
        first.stdout.read()
        assert first.wait(120) == 130
    assert not (folder / "candidate").exists()
    assert read_status(folder).state == "stopped"
    subprocess.run(line, env=environment, check=True, timeout=280)
    return folder


def test_it_went_on_at_the_last_whole_round(finished: Path) -> None:
    events = [json.loads(line) for line in (finished / "events.jsonl").read_text().splitlines()]
    rounds = [event["round"] for event in events if event["kind"] == "round" and event["modality"] == "ctg"]
    assert rounds in ([1, 2, 3, 4, 5], [1, 2, 2, 3, 4, 5])  # the stop may come before or after round 2 is saved
    found = read_status(finished)
    assert found.state == "finished"
    assert found.gate == "passed"


def test_the_candidate_is_whole_and_marked(finished: Path) -> None:
    candidate = Bundle(finished / "candidate").warm()
    assert candidate.synthetic
    assert {entry["modality"] for entry in candidate.manifest["data"]} == {"ctg", "acidaemia", "ultrasound"}
    assert all(entry["files"] for entry in candidate.manifest["data"])
    assert len(candidate.manifest["sites"]["ctg"]) == 3
    assert candidate.acidaemia is not None
    learned, metrics = candidate.acidaemia.fusion, candidate.manifest["metrics"]["acidaemia"]
    assert learned.rule.method == metrics["fusion_method"]
    assert learned.sizes.births == metrics["fusion_births_with_size"] > 20
    assert learned.quantiles("both") is not None
    assert "synthetic data" in (finished / "candidate" / "MODEL_CARD.md").read_text()


def test_flower_gives_the_same_trees_as_the_loop_in_process(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from federated.client_app import tree_site
    from federated.sites.site import SITES_VARIABLE, site_of_partition
    from federated.trees.rounds import frame_of
    from studies.in_process import train_sites

    monkeypatch.setenv(SITES_VARIABLE, str(finished / "sites"))
    plan = load(finished / "plan.toml")
    held = list(map(site_of_partition, range(7)))
    candidate = finished / "candidate"
    for modality, section in plan.trees():
        sites = [tree_site(site, plan) for site in held if site.modality == modality]
        for target, (document, _) in train_sites(sites, section, frame_of(section)).items():
            name = f"ctg_{target}.ubj" if target in VIEWS else f"acidaemia_{target}.ubj"
            assert bytes(booster_from(document).save_raw("ubj")) == (candidate / name).read_bytes()


def test_flower_gives_the_same_weights_as_the_loop_in_process(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from federated.plan import fold_models_of
    from federated.run.folder import RunFolder
    from federated.sites.data import head_rows
    from federated.sites.site import SITES_VARIABLE, site_of_partition
    from federated.weights.segmenter_site import ImageSite
    from studies.in_process import train_image_sites

    monkeypatch.setenv(SITES_VARIABLE, str(finished / "sites"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as every simulated site
    plan = load(finished / "plan.toml")
    assert plan.ultrasound is not None
    held = [site for site in map(site_of_partition, range(7)) if site.modality == "ultrasound"]
    sites = [ImageSite(site.name, head_rows(site), plan.ultrasound, seed=plan.seed) for site in held]
    lanes = fold_models_of(plan.ultrasound)
    arrays = train_image_sites(sites, plan.ultrasound, plan.seed, lanes, lambda *_: None)
    torch.set_num_threads(threads)
    kept = RunFolder(finished).weights("ultrasound")
    assert kept is not None
    assert kept[0] == plan.ultrasound.rounds
    assert {name: values.tobytes() for name, values in kept[1].items()} == {n: v.tobytes() for n, v in arrays.items()}


def test_the_candidate_predicts_an_outcome(finished: Path) -> None:
    acidaemia = Bundle(finished / "candidate").acidaemia
    assert acidaemia is not None
    assert set(acidaemia.models) == {target.name for target in TARGETS}
    assert all(0 < low <= high <= 1 for low, high in acidaemia.thresholds.values())
    assert 0.2 < acidaemia.prevalence < 0.5


def test_nothing_is_left_running(finished: Path) -> None:
    time.sleep(1)
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(finished) not in listing
