"""A retraining job as a process: prepare its folder, start it, stop it. Neither Flower nor torch is imported here."""

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from federated.plan import load
from federated.run.folder import RunFolder
from models.errors import FetalHealthError, InputError

# How long a run that was started from the page waits for hospitals to approve it.
APPROVAL_S = 3 * 24 * 3600


# Jobs that this process started: asking them reaps the ones that have ended.
_children: dict[int, subprocess.Popen[bytes]] = {}


def prepare(runs: Path, plan: Path, sites: Sequence[str] = (), minimum_sites: int | None = None) -> Path:
    """A new run folder with the plan in it.

    Parameters
    ----------
    runs, plan : Path
    sites : sequence of str
        Hospitals that the run is between; the plan must not name any itself.
    minimum_sites : int or None
        How many of them it goes on with.

    Raises
    ------
    InputError
        The plan is not valid, or names its own hospitals.
    """
    name = load(plan).name
    text = plan.read_text(encoding="utf-8")
    if sites:
        if "[participation]" in text:
            raise InputError(f"plan {name} has a [participation] of its own: start it from the command line")
        floor = f"minimum_sites = {minimum_sites}\n" if minimum_sites else ""
        text += f"\n[participation]\nsites = {json.dumps(sorted(sites))}\napprove_within_s = {APPROVAL_S}\n{floor}"
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = runs / f"{stamp}-{name}-{secrets.token_hex(2)}"
    RunFolder(folder)
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    load(folder / "plan.toml")
    return folder


def require_training() -> None:
    """Raise FetalHealthError where training is not installed."""
    for module in ("flwr", "torch"):
        if importlib.util.find_spec(module) is None:
            raise FetalHealthError("training is not installed here; run `make install` without SERVE_ONLY")


def command(folder: Path, data: Path | None, incumbent: Path | None, on: Path | None = None) -> list[str]:
    """The job's command line; raises as `require_training` does."""
    require_training()
    line = [sys.executable, "-m", "federated.run.job", str(folder)]
    line += ["--data", str(data)] if data else []
    line += ["--incumbent", str(incumbent)] if incumbent else []
    line += ["--on", str(on.resolve())] if on else []
    return line


def start(folder: Path, data: Path | None, incumbent: Path | None, on: Path | None = None) -> int:
    """Start the job in the background and return its process id; its output goes to ``log.txt``."""
    line = command(folder, data, incumbent, on)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    _children[process.pid] = process
    (folder / "pid").write_text(str(process.pid), encoding="utf-8")
    return process.pid


def is_alive(folder: Path) -> bool:
    try:
        pid = int((folder / "pid").read_text(encoding="utf-8"))
        if pid in _children:
            return _children[pid].poll() is None
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True


def stop(folder: Path) -> None:
    """Ask a running job to stop; it keeps its last whole round.

    Raises
    ------
    FetalHealthError
        It does not run.
    """
    if not is_alive(folder):
        raise FetalHealthError(f"run {folder.name} is not running")
    # Ray takes SIGTERM for itself and aborts; an interrupt ends the job in order.
    os.kill(int((folder / "pid").read_text(encoding="utf-8")), signal.SIGINT)
