"""The folder of one run: plan, events, checkpoints, candidate. What the job writes and others read.

``events.jsonl`` holds one JSON object a line; a checkpoint is written aside and renamed, so a run that
is killed at any moment goes on at the last whole round.
"""

import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.files import put

Arrays = dict[str, NDArray[np.float32]]


class RunFolder:
    """Paths and records of one run.

    Parameters
    ----------
    path : Path
        Created if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)

    @property
    def candidate(self) -> Path:
        """Where the candidate bundle goes."""
        return self.path / "candidate"

    @property
    def sites(self) -> Path:
        """Folders of the simulated hospitals."""
        return self.path / "sites"

    def event(self, kind: str, **details: Any) -> None:
        """Append an event and print it in plain words."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, **details}
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry) + "\n")
        print(describe(entry), flush=True)

    def events(self) -> list[dict[str, Any]]:
        """All whole events so far."""
        return list(_lines(self.path / "events.jsonl"))

    def keep_trees(self, modality: str, round_number: int, lanes: dict[int, dict[str, Any]]) -> None:
        """Checkpoint the trees of a round, all lanes in one file."""
        content = zlib.compress(json.dumps(lanes, separators=(",", ":")).encode(), 6)
        self._write(f"{modality}-{round_number:05d}.json.z", content)

    def trees(self, modality: str) -> list[dict[int, dict[str, Any]]]:
        """The kept rounds from the first on, without a gap."""
        rounds: list[dict[int, dict[str, Any]]] = []
        while (path := self.path / "checkpoints" / f"{modality}-{len(rounds) + 1:05d}.json.z").exists():
            lanes = json.loads(zlib.decompress(path.read_bytes()))
            rounds.append({int(lane): document for lane, document in lanes.items()})
        return rounds

    def keep_weights(self, modality: str, round_number: int, arrays: Arrays) -> None:
        """Checkpoint the weights after a round."""
        stream = BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        self._write(f"{modality}.npz", stream.getvalue())
        self._write(f"{modality}.round", str(round_number).encode())

    def weights(self, modality: str) -> tuple[int, Arrays] | None:
        """The last kept round and its weights, or None."""
        path = self.path / "checkpoints" / f"{modality}.npz"
        number = self.path / "checkpoints" / f"{modality}.round"
        if not (path.exists() and number.exists()):
            return None
        with np.load(path) as stored:
            return int(number.read_text()), {name: stored[name] for name in stored.files}

    def keep_results(self, name: str, results: Any) -> None:
        """Keep what a round or a stage has found."""
        self._write(f"{name}.json", json.dumps(results).encode())

    def has_results(self, name: str) -> bool:
        """Whether they were kept."""
        return self._results(name).exists()

    def results(self, name: str) -> Any:
        """Inverse of `keep_results`."""
        return json.loads(self._results(name).read_bytes())

    def _results(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.json"

    def _write(self, name: str, content: bytes) -> None:
        put(self.path / "checkpoints" / name, content)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return  # the last line is still being written


def describe(event: dict[str, Any]) -> str:
    """One plain line for the terminal."""
    kind = event["kind"]
    if kind == "round":
        left = f", about {event['seconds_left']:.0f} s left" if event.get("seconds_left") is not None else ""
        loss = f", loss {event['loss']:.3f}" if "loss" in event else ""
        size = f"{event['bytes'] / 1024:.0f} kB"
        out = "".join(f"; left out: {words}" for words in event.get("rejected", []))
        return (
            f"{event['modality']} round {event['round']}/{event['rounds']}: "
            f"{event['sites']:.0f} sites, {size} up{loss}{left}{out}"
        )
    details = ", ".join(f"{key} {value}" for key, value in event.items() if key not in {"time", "kind", "report"})
    return f"{kind}: {details}" if details else str(kind)
