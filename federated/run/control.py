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
from typing import Any

from federated.files import write_atomic
from federated.plan import Plan, as_toml, between_hospitals
from federated.run.folder import RunFolder
from federated.run.lock import is_held, take
from models.errors import FetalHealthError

# How long a run that was started from the web page waits for hospitals to approve it, seconds.
APPROVAL_S = 3 * 24 * 3600
# Held by the job of a folder as long as it lives.
LOCK = "lock"


# Jobs that this process started.
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
    partial = folder.with_name(f".{folder.name}.part")
    RunFolder(partial)
    (partial / "plan.toml").write_text(as_toml(plan), encoding="utf-8")
    partial.rename(folder)
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


def start(
    folder: Path, data: Path | None, incumbent: Path | None, on: Path | None = None, held: Sequence[int] = ()
) -> int:
    """Start the job in the background and return its process id; its output goes to ``log.txt``.

    Parameters
    ----------
    held : sequence of int
        Locks that the job holds from now on, as `federated.run.lock.take` gives them.
    """
    line = command(folder, data, incumbent, on)
    with (folder / "log.txt").open("ab") as log:
        return launch(folder, line, held, stdout=log, stderr=subprocess.STDOUT, start_new_session=True).pid


def launch(folder: Path, line: Sequence[str], held: Sequence[int] = (), **options: Any) -> subprocess.Popen[bytes]:
    """Start a job that holds its folder as long as it lives; `options` are those of `subprocess.Popen`.

    Raises
    ------
    FetalHealthError
        A job is at work in this folder already.
    """
    own = take(folder / LOCK)
    if own is None:
        raise FetalHealthError(f"run {folder.name} is in progress already")
    try:
        process = subprocess.Popen(line, pass_fds=(own, *held), **options)
        write_atomic(folder / "pid", str(process.pid).encode())
    finally:
        os.close(own)
    _children[process.pid] = process
    return process


def is_alive(folder: Path) -> bool:
    """Whether the job of this folder is running."""
    for process in list(_children.values()):
        process.poll()  # removes those that have ended from the process table
    return is_held(folder / LOCK)


def stop(folder: Path) -> None:
    """Ask a running job to stop; its complete rounds are saved.

    Raises
    ------
    FetalHealthError
        No job is running.
    """
    if not is_alive(folder):
        raise FetalHealthError(f"run {folder.name} is not running")
    # The job lives, so the number is its own. Ray handles SIGTERM itself and aborts; an interrupt lets it end in order.
    os.kill(int((folder / "pid").read_text(encoding="utf-8")), signal.SIGINT)
