"""Percentiles of repeated calls."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS = 60
Timing = dict[str, float]


def timed(call: Callable[[], Any], repeats: int = REPEATS) -> Timing:
    """Percentiles of a call, ms, after three calls to warm up."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(1000 * (time.perf_counter() - started))
    return {f"p{q}": float(np.percentile(seconds, q)) for q in (50, 95, 99)}
