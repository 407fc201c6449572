"""A site that breaks in the middle, through Flower: above the floor the run goes on and says so, below it ends."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from federated.plan import load
from federated.run.folder import RunFolder
from federated.sites.simulated import make_sites
from models.synthetic.datasets import write_uci
from tests.conftest import need

pytestmark = [pytest.mark.soak, pytest.mark.network]
PLAN = """
name = "survival"
seed = 3
synthetic = true
[ctg]
sites = 3
alpha = 5.0
rounds = 3
calibration_folds = 2
[participation]
"""
SECRET = "patient-jane-doe"


def simulated(folder: Path, participation: str, sites: int = 3) -> tuple[RunFolder, str]:
    """Some sites, the second of which cannot read its data once it is asked to train."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    run = RunFolder(folder / "run")
    (run.path / "plan.toml").write_text(PLAN.replace("sites = 3", f"sites = {sites}") + participation)
    write_uci(folder / "data", women=45, seed=1)
    made = make_sites(load(run.path / "plan.toml"), folder / "data", run.sites)
    broken = run.sites / "1" / "site.json"
    broken.write_text(json.dumps({**json.loads(broken.read_text()), "data": f"/nowhere/{SECRET}"}))
    program = (
        "import sys; from pathlib import Path; from federated.job import simulate; "
        "from federated.run.folder import RunFolder; simulate(RunFolder(Path(sys.argv[1])), int(sys.argv[2]))"
    )
    line = [sys.executable, "-c", program, str(run.path), str(len(made))]
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False)
    return run, done.stdout + done.stderr


def test_above_the_floor_the_run_goes_on_without_the_site_and_says_so(tmp_path: Path) -> None:
    run, output = simulated(tmp_path, "minimum_sites = 2\n")
    results = json.loads((run.path / "results.json").read_text())
    assert list(results["lost"]) == ["ctg-hospital-2"]
    assert sorted(results["ctg"]["sites"]) == ["ctg-hospital-1", "ctg-hospital-3"]
    assert sorted(results["ctg"]["nodes"]) == ["ctg-hospital-1", "ctg-hospital-3"]
    lost = [event for event in run.events() if event["kind"] == "lost"]
    assert [event["site"] for event in lost] == ["ctg-hospital-2"]
    assert [event["sites"] for event in run.events() if event["kind"] == "round"] == [2.0, 2.0, 2.0]
    # What went wrong stays at the site.
    assert SECRET in (run.sites / "1" / "errors.log").read_text()
    assert SECRET not in output
    assert SECRET not in (run.path / "events.jsonl").read_text() + json.dumps(results)


def test_without_a_floor_the_run_ends_and_names_the_site_but_not_its_error(tmp_path: Path) -> None:
    run, output = simulated(tmp_path, "")
    assert not (run.path / "results.json").exists()
    reason = json.loads((run.path / "checkpoints" / "failure.json").read_text())["reason"]
    assert "no usable answer from ctg-hospital-2 (an error there" in reason
    assert "2 of 3 ctg sites are left, all needed" in reason
    assert SECRET not in output + reason


def test_secure_sums_give_the_same_model_and_no_site_its_sums(tmp_path: Path) -> None:
    made = {}
    for name, more in (("plain", ""), ("secure", "[privacy]\nsecure_sums = true\n")):
        (tmp_path / name).mkdir()
        run, output = simulated(tmp_path / name, "minimum_sites = 3\n" + more, sites=4)
        assert (run.path / "results.json").exists(), output
        made[name] = run, json.loads((run.path / "results.json").read_text())
    plain, secure = made["plain"][1]["ctg"], made["secure"][1]["ctg"]
    assert secure["reference"] == plain["reference"]
    for view in ("table", "trace"):
        ours, theirs = secure["calibration"][view], plain["calibration"][view]
        assert (ours["rows"], ours["events"], ours["women"]) == (theirs["rows"], theirs["events"], theirs["women"])
        assert ours["scale"] == pytest.approx(theirs["scale"], abs=1e-4)
        assert ours["bias"] == pytest.approx(theirs["bias"], abs=1e-4)
    trees = [made[name][0].trees("ctg") for name in ("plain", "secure")]
    for before, after in zip(*trees, strict=True):
        assert before.keys() == after.keys()
    losses = [event["left_out_loss"] for event in made["secure"][0].events() if event["kind"] == "round"]
    assert losses == [{}, {}, {}]  # of a single site nothing is told
    assert all(event["left_out_loss"] for event in made["plain"][0].events() if event["kind"] == "round")
