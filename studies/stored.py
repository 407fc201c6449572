"""Read stored results of the studies, and format numbers."""

import csv
import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    """All rows of a CSV, or of one that is compressed (``.gz``)."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def part(rows: Rows, name: str) -> Rows:
    """The rows of one part."""
    return [row for row in rows if row["part"] == name]


def seeds(rows: Rows, prefix: str) -> list[Rows]:
    """The parts ``prefix/seed``, in the order of the seeds."""
    names = sorted({row["part"] for row in rows if row["part"].rpartition("/")[0] == prefix})
    return [part(rows, name) for name in names]


def column(rows: Rows, name: str) -> NDArray[np.float64]:
    """One column as an array of numbers."""
    return np.array([float(row[name]) for row in rows])


def words(value: dict[str, Any], digits: int = 3) -> str:
    """Format a value with its interval."""
    if value["value"] is None:
        return "not defined"
    ci = value["ci95"]
    return f"{value['value']:.{digits}f}" + (f" ({ci[0]:.{digits}f} to {ci[1]:.{digits}f})" if ci else "")


def signed(value: dict[str, Any]) -> str:
    """Format a difference with its interval."""
    low, high = value["ci95"]
    return f"{value['value']:+.3f} ({low:+.3f} to {high:+.3f})"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table as lines."""
    titles = list(head)
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]
