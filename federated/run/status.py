"""The state of a run, read from its folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from federated.plan import load
from federated.run.control import is_alive
from federated.run.folder import RunFolder
from models.errors import FetalHealthError, InputError

FINAL = {"finished", "failed", "stopped"}


@dataclass(frozen=True)
class RunStatus:
    """The state of a run.

    Attributes
    ----------
    state : str
        ``"running"``, ``"finished"``, ``"failed"``, ``"stopped"``, or ``"dead"`` if its process has vanished, or
        ``"starting"``, or ``"damaged"`` if its folder cannot be read.
    rounds : dict of modality to the last round's event
    history : dict of modality to every round's event
    judged : list of dict
        Figures of a shared representation by task, from out-of-fold rows.
    notes : list of str
        What the alignment of a shared representation did.
    federation : str
        Name of the federation whose hospitals take part; empty for a simulation.
    waiting : str
        Hospitals whose approval the run waits for, and the agreement.
    lost : dict of site to str
        Sites that have left the run, and why.
    interrupted : int
        How often the connection to the server was lost.
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


def read_status(folder: Path) -> RunStatus:
    """Read the state of a run from its folder.

    Raises
    ------
    InputError
        There is no run in this folder.
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
        else ("running" if is_alive(folder) else "dead" if events or (folder / "pid").exists() else "starting")
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
    """Words for what the run waits for, if its last event says that it waits."""
    last = events[-1] if events else {}
    if last.get("kind") != "waiting":
        return ""
    return f"{last['approval_of']} (plan and code {last['bundle']}, code {last['code']})"


def all_runs(runs: Path) -> list[RunStatus]:
    """The states of all runs, newest first."""
    if not runs.exists():
        return []
    folders = (folder for folder in sorted(runs.iterdir(), reverse=True) if folder.is_dir())
    return [_status(folder) for folder in folders if not folder.name.startswith(".")]


def _status(folder: Path) -> RunStatus:
    """The state of a run; "damaged" where its folder is half-written, which is no reason to hide the others."""
    try:
        return read_status(folder)
    except (FetalHealthError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return RunStatus(folder.name, "", "damaged", "", f"its folder cannot be read: {error}", None, None)
