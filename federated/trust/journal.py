"""A log that cannot be changed unnoticed: each line holds the hash of the one before."""

import fcntl
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from models.errors import FetalHealthError

START = "0" * 64


class JournalError(FetalHealthError):
    """A line was changed, removed or put in; the message names it."""


class Journal:
    """Append-only lines of JSON, chained by SHA-256.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, what: str, **details: Any) -> None:
        """Append a line; several processes may.

        Raises
        ------
        OSError
            The disk is full or the folder cannot be written: what was to be on record must then not happen.
        """
        with self.path.open("a+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            entry = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "what": what,
                **details,
                "previous": _last_hash(os.fstat(handle.fileno()).st_size, self.path),
            }
            line = json.dumps({**entry, "hash": _hash(entry)}, sort_keys=True)
            handle.write(line.encode() + b"\n")
            handle.flush()

    def lines(self) -> Iterator[dict[str, Any]]:
        """All lines, oldest first, checked.

        Raises
        ------
        JournalError
            The chain is broken.
        """
        previous = START
        if not self.path.exists():
            return
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                entry = json.loads(line)
                said = entry.pop("hash")
            except (ValueError, KeyError, AttributeError, TypeError):
                raise JournalError(f"{self.path}: line {number} is no entry of the log") from None
            if entry.get("previous") != previous or _hash(entry) != said:
                raise JournalError(f"{self.path}: line {number} does not continue the line before: the log was changed")
            previous = said
            yield entry


def _hash(entry: dict[str, Any]) -> str:
    return sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _last_hash(size: int, path: Path) -> str:
    if size == 0:
        return START
    with path.open("rb") as handle:
        handle.seek(max(0, size - 65536))
        last = handle.read().splitlines()[-1]
    return str(json.loads(last)["hash"])
