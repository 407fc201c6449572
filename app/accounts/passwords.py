"""Passwords: which are strong enough, and their slow hashes, of which one at a time is computed."""

import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TypeVar

from pwdlib import PasswordHash

from app.errors import Problem
from models.errors import InputError

Value = TypeVar("Value")
MIN_LETTERS, MAX_LETTERS = 12, 200
LEAST_SCORE = 3  # of 4: about 10^8 guesses
LOOKED_AT = 72  # letters; the estimate takes long for more
WAITING = 100
NICENESS = 10

hasher = PasswordHash.recommended()  # Argon2id; the tests put a cheaper one here


def check_strength(password: str, *words: str) -> None:
    """Refuse a password that is short or easily guessed.

    Parameters
    ----------
    words : str
        What a guess would begin with, such as the user's name.

    Raises
    ------
    InputError
        It says why.
    """
    from zxcvbn import zxcvbn

    if not MIN_LETTERS <= len(password) <= MAX_LETTERS:
        raise InputError(f"a password needs {MIN_LETTERS} to {MAX_LETTERS} characters")
    estimate = zxcvbn(password[:LOOKED_AT], user_inputs=[*words, "fetal", "health", "fetal-health"])
    if estimate["score"] < LEAST_SCORE:
        feedback = estimate["feedback"]
        advice = " ".join(line for line in (feedback["warning"], *feedback["suggestions"]) if line)
        raise InputError(f"this password is easily guessed. {advice or 'Add some uncommon words.'}")


@cache
def nobody() -> str:
    """A hash that no password matches, so that an unknown name takes as long as a wrong password."""
    return hasher.hash(secrets.token_urlsafe(24))


class Queue:
    """One thread that computes slow hashes, behind everything else that the server does.

    A hash takes 64 MiB and all cores: many at once would take the memory and the answers of everybody else.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords", _step_back)
        self._free = threading.Semaphore(WAITING)

    def submit(self, work: Callable[..., Value], *values: object) -> "Future[Value]":
        """Put work into the queue.

        Raises
        ------
        Problem
            503: too many wait.
        """
        if not self._free.acquire(blocking=False):
            raise Problem(503, "Too many people sign in at this moment.", headers={"Retry-After": "5"})
        future = self._thread.submit(work, *values)
        future.add_done_callback(lambda _: self._free.release())
        return future

    def close(self) -> None:
        """End the thread; what waits is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
