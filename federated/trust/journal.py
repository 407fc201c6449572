"""A log in which changes are detected: each line contains the hash of the line before."""

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
    """A line was changed, removed or inserted; the message names it."""


class Journal:
    """Append-only lines of JSON, chained by SHA-256.

    Parameters
    ----------
    path : Path
        The file; its folder is made if needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, what: str, **details: Any) -> None:
        """Append a line; several processes may write to the same file.

        Raises
        ------
        OSError
            The disk is full or the folder cannot be written. The caller must then not do what it wanted to record.
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
        """Check the chain and yield all lines, oldest first.

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
                stated_hash = entry.pop("hash")
            except (ValueError, KeyError, AttributeError, TypeError):
                raise JournalError(f"{self.path}: line {number} is no entry of the log") from None
            if entry.get("previous") != previous or _hash(entry) != stated_hash:
                raise JournalError(f"{self.path}: line {number} does not continue the line before: the log was changed")
            previous = stated_hash
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
