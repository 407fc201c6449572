"""The folder of one run: plan, events, checkpoints, candidate. The job writes it, and others read it.

``events.jsonl`` holds one JSON object on each line. Checkpoints are written atomically, so that a run that is killed at
any moment can go on after its last complete round.
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

from federated.files import write_atomic

Arrays = dict[str, NDArray[np.float32]]


class RunFolder:
    """Paths and records of one run.

    Parameters
    ----------
    path : Path
        Created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)

    @property
    def candidate(self) -> Path:
        """Folder of the candidate bundle."""
        return self.path / "candidate"

    @property
    def sites(self) -> Path:
        """Folder of the simulated sites' folders."""
        return self.path / "sites"

    def event(self, kind: str, **details: Any) -> None:
        """Append an event and print it as a sentence."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, **details}
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry) + "\n")
        print(describe(entry), flush=True)

    def events(self) -> list[dict[str, Any]]:
        """All complete events so far."""
        return list(_lines(self.path / "events.jsonl"))

    def save_trees(self, modality: str, round_number: int, fold_models: dict[int, dict[str, Any]]) -> None:
        """Save the trees of a round, all fold models in one file."""
        content = zlib.compress(json.dumps(fold_models, separators=(",", ":")).encode(), 6)
        self._write(f"{modality}-{round_number:05d}.json.z", content)

    def trees(self, modality: str) -> list[dict[int, dict[str, Any]]]:
        """The trees of all saved rounds by fold model, from the first round up to the first gap."""
        rounds: list[dict[int, dict[str, Any]]] = []
        while (path := self.path / "checkpoints" / f"{modality}-{len(rounds) + 1:05d}.json.z").exists():
            fold_models = json.loads(zlib.decompress(path.read_bytes()))
            rounds.append({int(fold_model): document for fold_model, document in fold_models.items()})
        return rounds

    def save_weights(self, modality: str, round_number: int, arrays: Arrays) -> None:
        """Save the weights after a round."""
        stream = BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        self._write(f"{modality}.npz", stream.getvalue())
        self._write(f"{modality}.round", str(round_number).encode())

    def weights(self, modality: str) -> tuple[int, Arrays] | None:
        """The number of the last saved round and its weights, or None."""
        path = self.path / "checkpoints" / f"{modality}.npz"
        number = self.path / "checkpoints" / f"{modality}.round"
        if not (path.exists() and number.exists()):
            return None
        with np.load(path) as stored:
            return int(number.read_text()), {name: stored[name] for name in stored.files}

    def save_results(self, name: str, results: Any) -> None:
        """Save results of a round or a stage under a name."""
        self._write(f"{name}.json", json.dumps(results).encode())

    def has_results(self, name: str) -> bool:
        """Whether results were saved under this name."""
        return self._results(name).exists()

    def results(self, name: str) -> Any:
        """Inverse of `save_results`."""
        return json.loads(self._results(name).read_bytes())

    def _results(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.json"

    def _write(self, name: str, content: bytes) -> None:
        write_atomic(self.path / "checkpoints" / name, content)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return  # the last line is still being written


def describe(event: dict[str, Any]) -> str:
    """An event as one line for the terminal."""
    kind = event["kind"]
    if kind == "round":
        left = f", about {event['seconds_left']:.0f} s left" if event.get("seconds_left") is not None else ""
        loss = f", loss {event['loss']:.3f}" if "loss" in event else ""
        size = f"{event['bytes'] / 1024:.0f} kB"
        out = "".join(f"; not used: {words}" for words in event.get("rejected", []))
        return (
            f"{event['modality']} round {event['round']}/{event['rounds']}: "
            f"{event['sites']:.0f} sites, {size} up{loss}{left}{out}"
        )
    details = ", ".join(f"{key} {value}" for key, value in event.items() if key not in {"time", "kind", "report"})
    return f"{kind}: {details}" if details else str(kind)
