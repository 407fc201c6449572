"""Where contractions are known: a flat, saturated, lost or silent tocogram does not show them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.events import Event
from models.ctg.reading.spans import Span, inside, spans

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
FLAT_S, FLAT_RANGE = 300, 3.0
SATURATED_S = 60.0
# Monitors show 0 to 100 or 127 units; what exceeds this is not a tocogram in its units.
PLAUSIBLE_UNITS = 150.0
LOST_S = 60.0
# In labour, contractions further apart than this mean that the tocogram is to be checked.
SILENT_S = 1200.0
AROUND_S = 60.0


def known_seconds(toco_grid: Array | None, contractions: Sequence[Event], duration_s: int, *, labour: bool) -> Flags:
    """Where contractions are known, shape (seconds,).

    Parameters
    ----------
    toco_grid : ndarray, shape (seconds,), or None
        One value a second; None without a tocogram.
    labour : bool
        Twenty minutes without a contraction then mean that the tocogram does not work.
    """
    if toco_grid is None or not np.isfinite(toco_grid).any() or np.nanmax(toco_grid) > PLAUSIBLE_UNITS:
        return np.zeros(duration_s, dtype=bool)
    present = np.isfinite(toco_grid)
    filled = np.interp(np.arange(len(toco_grid)), np.flatnonzero(present), toco_grid[present])
    lost = spans(~present, least_s=LOST_S)
    top = float(np.nanmax(toco_grid))
    saturated = spans(filled >= top - 0.01, least_s=SATURATED_S)
    smooth = ndimage.uniform_filter1d(filled, 15)
    span = ndimage.maximum_filter1d(smooth, FLAT_S) - ndimage.minimum_filter1d(smooth, FLAT_S)
    flat = [
        Span(max(0.0, s.start_s - FLAT_S / 2), s.end_s + FLAT_S / 2) for s in spans(span < FLAT_RANGE, tolerance_s=30.0)
    ]
    unknown = [*lost, *saturated, *flat]
    if labour:
        edges = [0.0, *(edge for event in contractions for edge in (event.start_s, event.end_s)), float(duration_s)]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        unknown += [Span(a, b) for a, b in pairs if b - a > SILENT_S]
    return ~inside(unknown, duration_s)
