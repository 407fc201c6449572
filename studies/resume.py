"""Studies in parts: each part is appended to a CSV as a whole, so that an interrupted study can continue."""

import csv
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FOLDS = 5
SEEDS = 5
Rows = list[dict[str, Any]]


def _opened(path: Path, mode: str) -> Any:
    return (gzip.open if path.suffix == ".gz" else open)(path, mode, newline="", encoding="utf-8")


def resume(path: Path, key: str, parts: Sequence[str], make: Callable[[str], Rows]) -> None:
    """Make the parts that `path` lacks, one after the other."""
    done: set[str] = set()
    if path.exists():
        with _opened(path, "rt") as handle:
            done = {row[key] for row in csv.DictReader(handle)}
    for part in parts:
        if part in done:
            continue
        rows = make(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with _opened(path, "at") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
            if new:
                writer.writeheader()
            writer.writerows(rows)
        print(f"{path.name}: {part} done", flush=True)
