"""Writing files so that they are either complete or not there."""

import json
import os
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes) -> None:
    """Write beside the file and rename: a process that is killed, or a full disk, leaves the earlier file."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    os.replace(partial, path)


def write_json_atomic(path: Path, content: Any) -> None:
    """Write a value as JSON; as `write_atomic`."""
    write_atomic(path, json.dumps(content, indent=1).encode())


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
