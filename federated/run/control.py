"""A job as a process: prepare its folder, start it, stop it. This module imports neither Flower nor torch."""

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from federated.plan import Plan, as_toml, between_hospitals
from federated.run.folder import RunFolder
from models.errors import FetalHealthError

# How long a run that was started from the web page waits for hospitals to approve it, seconds.
APPROVAL_S = 3 * 24 * 3600


# Jobs that this process started. To ask for their state also removes those that have ended from the process table.
_children: dict[int, subprocess.Popen[bytes]] = {}


def prepare(runs: Path, plan: Plan, sites: Sequence[str] = (), minimum_sites: int | None = None) -> tuple[Path, Plan]:
    """Make a new run folder with the plan in it.

    Parameters
    ----------
    runs : Path
        Folder of the runs.
    plan : Plan
    sites : sequence of str
        Hospitals that the run is between; the plan must not name any itself. None for a simulation on this machine.
    minimum_sites : int or None
        Smallest number of hospitals that the run goes on with.

    Returns
    -------
    folder : Path
    plan : Plan
        The plan as it is stored there.

    Raises
    ------
    InputError
        The plan names hospitals of its own.
    """
    if sites:
        plan = between_hospitals(plan, sites, APPROVAL_S, minimum_sites)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = runs / f"{stamp}-{plan.name}-{secrets.token_hex(2)}"
    RunFolder(folder)
    (folder / "plan.toml").write_text(as_toml(plan), encoding="utf-8")
    return folder, plan


def require_training() -> None:
    """Raise FetalHealthError where training is not installed."""
    for module in ("flwr", "torch"):
        if importlib.util.find_spec(module) is None:
            raise FetalHealthError("training is not installed here; run `make install` without SERVE_ONLY")


def command(folder: Path, data: Path | None, incumbent: Path | None, on: Path | None = None) -> list[str]:
    """The command line of the job; raises as `require_training`."""
    require_training()
    line = [sys.executable, "-m", "federated.job", str(folder)]
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
    """Whether the job of this folder is running."""
    try:
        pid = int((folder / "pid").read_text(encoding="utf-8"))
        if pid in _children:
            return _children[pid].poll() is None
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True


def stop(folder: Path) -> None:
    """Ask a running job to stop; its complete rounds are saved.

    Raises
    ------
    FetalHealthError
        No job is running.
    """
    if not is_alive(folder):
        raise FetalHealthError(f"run {folder.name} is not running")
    # Ray handles SIGTERM itself and aborts; an interrupt lets the job end in order.
    os.kill(int((folder / "pid").read_text(encoding="utf-8")), signal.SIGINT)
