"""Stretches of time in which something holds."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Flags = NDArray[np.bool_]


class Span(NamedTuple):
    """From `start_s` to `end_s`, seconds from the start of the recording."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Length, s."""
        return self.end_s - self.start_s


def spans(holds: Flags, step_s: float = 1.0, *, tolerance_s: float = 0.0, least_s: float = 0.0) -> list[Span]:
    """Runs of `holds`, in order.

    Parameters
    ----------
    holds : ndarray of bool, shape (n,)
        One value for each `step_s`.
    tolerance_s : float
        A shorter interruption does not end a run.
    least_s : float
        Shorter runs are left out, after interruptions were closed.
    """
    if not len(holds):
        return []
    labels, _ = ndimage.label(holds)
    stretches = [Span(where.start * step_s, where.stop * step_s) for (where,) in ndimage.find_objects(labels)]
    return [span for span in merged(stretches, tolerance_s) if span.length_s >= least_s]


def merged(stretches: Iterable[Span], tolerance_s: float = 0.0) -> list[Span]:
    """Join spans that overlap or are at most `tolerance_s` apart."""
    joined: list[Span] = []
    for span in sorted(stretches):
        if joined and span.start_s - joined[-1].end_s <= tolerance_s:
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(span)
    return joined


def inside(stretches: Iterable[Span], seconds: int) -> Flags:
    """Mark the seconds that lie in any of the spans, shape (seconds,)."""
    marked = np.zeros(seconds, dtype=bool)
    for span in stretches:
        marked[max(0, int(span.start_s)) : max(0, int(np.ceil(span.end_s)))] = True
    return marked
