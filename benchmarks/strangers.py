"""Forty strangers who guess passwords at once: does anybody else notice?

``python -m benchmarks.strangers`` starts a server and measures the time of its readiness probe and its memory, first
while nobody does anything and then while strangers sign in with wrong passwords. The goal is a 95th centile of at most
three times the idle one, and memory that stays.
"""

import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np

from benchmarks.installation import Installation, installation
from benchmarks.memory import pss_mb

STRANGERS, SECONDS, EVERY_S = 40, 20, 0.1


def probes(place: Installation, seconds: float) -> list[float]:
    """Times of readiness probes over so many seconds, ms."""
    times = []
    with httpx.Client(base_url=place.base, timeout=30) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            client.get("/health/ready").raise_for_status()
            times.append(1000 * (time.perf_counter() - begun))
            time.sleep(EVERY_S)
    return times


def guess(place: Installation, number: int, stop: threading.Event, answers: Counter[int]) -> None:
    """Sign in with wrong passwords, at another name each time, until told to stop."""
    with httpx.Client(base_url=place.base, timeout=60) as client:
        attempt = 0
        while not stop.is_set():
            attempt += 1
            form = {"name": f"stranger-{number}-{attempt}", "password": "wrong"}
            answers[client.post("/sign-in", data=form).status_code] += 1


def main() -> int:
    """Measure and print."""
    with installation() as place:
        server = place.serve()
        idle = probes(place, SECONDS)
        memory = pss_mb(server.pid)
        answers: Counter[int] = Counter()
        stop = threading.Event()
        with ThreadPoolExecutor(STRANGERS) as pool:
            for number in range(STRANGERS):
                pool.submit(guess, place, number, stop, answers)
            busy = probes(place, SECONDS)
            after = pss_mb(server.pid)
            stop.set()
    quiet, loud = np.percentile(idle, 95), np.percentile(busy, 95)
    print(f"probe p95: idle {quiet:.1f} ms, with {STRANGERS} strangers {loud:.1f} ms, ratio {loud / quiet:.1f}")
    print(f"memory (PSS): {memory:.0f} MB before, {after:.0f} MB with them")
    print("answers: " + ", ".join(f"{status}: {count}" for status, count in sorted(answers.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
