"""Files and folders that survive a power cut: written beside, forced to the disk, then renamed.

Only our own user can read them.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

OURS_ONLY = 0o077  # the umask of a server: files 0600, folders 0700


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file of our own and force it to the disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def write_folder(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder of files whole or not at all; where another process was faster, its folder stays."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    partial.mkdir(mode=0o700, exist_ok=True)
    for name, content in contents.items():
        write_synced(partial / name, content)
    sync_folder(partial)
    with suppress(OSError):
        os.rename(partial, target)  # fails where the target exists
    if partial.exists():
        for name in contents:
            (partial / name).unlink()
        partial.rmdir()
    sync_folder(target.parent)
