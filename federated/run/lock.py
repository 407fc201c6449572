"""Locks that a process holds as long as it lives: the system frees them however it ends."""

import fcntl
import os
import time
from pathlib import Path

TRIES, PAUSE_S = 5, 0.05


def take(path: Path) -> int | None:
    """Take a lock.

    Parameters
    ----------
    path : Path
        The lock's file; created if it does not exist, and never removed.

    Returns
    -------
    int or None
        A file descriptor. Whoever has it or inherited it holds the lock. None: somebody else holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(TRIES):  # `is_held` holds it for a moment
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_S)
        else:
            return handle
    os.close(handle)
    return None


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
