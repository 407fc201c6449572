"""Files that are whole or not there."""

import json
import os
from pathlib import Path
from typing import Any


def put(path: Path, content: bytes) -> None:
    """Write aside and rename: a process that is killed, or a full disk, leaves the file that was."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    os.replace(partial, path)


def put_json(path: Path, content: Any) -> None:
    """The same, of JSON."""
    put(path, json.dumps(content, indent=1).encode())


def put_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
