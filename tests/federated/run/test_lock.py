"""A lock is held as long as a process that has it lives, and says so to everybody."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from federated.plan import load, shipped_plans
from federated.run import control
from federated.run.lock import is_held, take
from federated.run.status import all_runs, read_status
from models.errors import FetalHealthError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    held = take(path)
    assert held is not None
    assert is_held(path)
    assert take(path) is None
    os.close(held)
    assert not is_held(path)
    again = take(path)
    assert again is not None
    os.close(again)


def test_a_job_holds_its_folder_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    folder, _ = control.prepare(tmp_path, load(shipped_plans()["synthetic"]))
    assert read_status(folder).state == "starting"
    job = control.launch(folder, SLEEP)
    assert control.is_alive(folder)
    assert read_status(folder).state == "running"
    with pytest.raises(FetalHealthError, match="in progress already"):
        control.launch(folder, SLEEP)
    job.kill()
    job.wait()
    assert not control.is_alive(folder)
    assert read_status(folder).state == "dead"
    with pytest.raises(FetalHealthError, match="is not running"):
        control.stop(folder)


def test_a_number_that_belongs_to_another_process_stops_nothing(tmp_path: Path) -> None:
    folder, _ = control.prepare(tmp_path, load(shipped_plans()["synthetic"]))
    stranger = subprocess.Popen(SLEEP)
    try:
        (folder / "pid").write_text(str(stranger.pid))
        assert read_status(folder).state == "dead"
        with pytest.raises(FetalHealthError, match="is not running"):
            control.stop(folder)
        time.sleep(0.2)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_half_written_folder_hides_no_other(tmp_path: Path) -> None:
    good, _ = control.prepare(tmp_path, load(shipped_plans()["synthetic"]))
    for name, plan in (("20990101-000000-empty", ""), ("20990101-000001-odd", "name = [")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.toml").write_text(plan)
    (tmp_path / "20990101-000002-none").mkdir()
    states = {status.name: status.state for status in all_runs(tmp_path)}
    assert states.pop(good.name) == "starting"
    assert set(states.values()) == {"damaged"}
    assert len(states) == 3
    assert not [status for status in all_runs(tmp_path) if "\n" in status.reason]
