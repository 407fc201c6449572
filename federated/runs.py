"""Retraining runs from outside: prepare a folder, start the job as a process, watch it, stop it.

Neither flwr nor torch is imported here; the job runs in a process of its own.
"""

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from federated.plan import load
from federated.run_folder import RunFolder
from models.errors import FetalHealthError, InputError

# How long a run that was started from the page waits for hospitals to approve it.
APPROVAL_S = 3 * 24 * 3600
FINAL = {"finished", "failed", "stopped"}
# Jobs that this process started: asking them reaps the ones that have ended.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands.

    Attributes
    ----------
    state : str
        ``"running"``, ``"finished"``, ``"failed"``, ``"stopped"``, or ``"dead"`` for a process that vanished.
    rounds : dict of modality to the last round's event
    history : dict of modality to every round's event
    judged : list of dict
        Figures of a shared representation by task, from rows that were left out.
    notes : list of str
        What its alignment did.
    federation : str
        Whose hospitals it is between; empty for a simulation.
    waiting : str
        Whose approval it waits for, and of what.
    lost : dict of site to str
        Sites that left it, and why.
    interrupted : int
        How often its server went away.
    """

    name: str
    plan: str
    state: str
    started: str
    reason: str
    candidate: str | None
    gate: str | None
    rounds: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    judged: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    federation: str = ""
    waiting: str = ""
    lost: dict[str, str] = field(default_factory=dict)
    interrupted: int = 0


def shipped_plans() -> dict[str, Path]:
    """Plans that come with the package, by name."""
    folder = Path(str(files("plans")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


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


def status(folder: Path) -> RunStatus:
    """Read where a run stands from its folder.

    Raises
    ------
    InputError
        No run there.
    """
    if not (folder / "plan.toml").exists():
        raise InputError(f"no run {folder.name}")
    events = RunFolder(folder).events()
    last = events[-1] if events else {}
    begun = [index for index, event in enumerate(events) if event["kind"] == "started"]
    current = events[begun[-1] :] if begun else events
    ended = next((event for event in reversed(current) if event["kind"] in FINAL), None)
    state = (
        ended["kind"]
        if ended
        else ("running" if _alive(folder) else "dead" if events or (folder / "pid").exists() else "starting")
    )
    history: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event["kind"] == "round":
            history.setdefault(event["modality"], []).append(event)
    return RunStatus(
        name=folder.name,
        plan=load(folder / "plan.toml").name,
        state=state,
        started=events[0]["time"] if events else "",
        reason=str((ended or last).get("reason", "")),
        candidate=(ended or {}).get("candidate"),
        gate=(ended or {}).get("gate"),
        rounds={modality: entries[-1] for modality, entries in history.items()},
        history=history,
        notes=[event["words"] for event in current if event["kind"] == "note"],
        judged=[event for event in current if event["kind"] == "judged"],
        federation=next((event["federation"] for event in current if "federation" in event), ""),
        waiting=_waiting(current),
        lost={event["site"]: event["why"] for event in current if event["kind"] == "lost"},
        interrupted=sum(event["kind"] == "interrupted" for event in events),
        verdicts=[event["verdict"] for event in current if event["kind"] == "gate"],
    )


def _waiting(events: list[dict[str, Any]]) -> str:
    """The last event, if the run waits."""
    last = events[-1] if events else {}
    if last.get("kind") != "waiting":
        return ""
    return f"{last['approval_of']} (plan and code {last['bundle']}, code {last['code']})"


def _alive(folder: Path) -> bool:
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
    if not _alive(folder):
        raise FetalHealthError(f"run {folder.name} is not running")
    # Ray takes SIGTERM for itself and aborts; an interrupt ends the job in order.
    os.kill(int((folder / "pid").read_text(encoding="utf-8")), signal.SIGINT)


def all_runs(runs: Path) -> list[RunStatus]:
    """Every run, newest first."""
    if not runs.exists():
        return []
    return [status(folder) for folder in sorted(runs.iterdir(), reverse=True) if (folder / "plan.toml").exists()]
