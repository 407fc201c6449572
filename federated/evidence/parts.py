"""Studies in parts: each part is appended to a CSV as a whole, so an interrupted study goes on."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FOLDS = 5
SEEDS = 5
Rows = list[dict[str, Any]]


def resume(path: Path, key: str, parts: Sequence[str], make: Callable[[str], Rows]) -> None:
    """Make the parts that `path` lacks, one after the other."""
    done: set[str] = set()
    if path.exists():
        with path.open(newline="", encoding="utf-8") as handle:
            done = {row[key] for row in csv.DictReader(handle)}
    for part in parts:
        if part in done:
            continue
        rows = make(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            if handle.tell() == 0:
                writer.writeheader()
            writer.writerows(rows)
        print(f"{path.name}: {part} done", flush=True)
