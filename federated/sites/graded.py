"""Windows that a hospital's panel has read, with the features that were measured on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import analyse
from models.ctg.trace_features import TRACE_FEATURE_NAMES, trace_features
from models.datasets.panel import PanelWindow


@dataclass(frozen=True)
class Graded:
    """Windows with a reading that most of the panel share, as far as their trace can be assessed.

    Attributes
    ----------
    woman : ndarray of str, shape (n,)
    reading : ndarray of int64, shape (n,)
        0 normal, 1 suspicious, 2 pathological.
    features : ndarray of float64, shape (n, 75)
    left_out : dict of str to int
        Windows that are not used, by reason.
    """

    woman: NDArray[np.str_]
    reading: NDArray[np.int64]
    features: NDArray[np.float64]
    left_out: dict[str, int]

    @classmethod
    def of(cls, windows: Sequence[PanelWindow]) -> "Graded":
        """Measure the windows that have a majority."""
        agreed = [(window, window.majority) for window in windows if window.majority is not None]
        features = np.array([trace_features(analyse(window.recording)) for window, _ in agreed])
        features = features.reshape(-1, len(TRACE_FEATURE_NAMES))
        usable = np.isfinite(features).any(axis=1)
        left_out = {
            "no majority of at least three readers": len(windows) - len(agreed),
            "the trace cannot be assessed there": int((~usable).sum()),
        }
        woman = np.array([window.woman for window, _ in agreed], dtype=np.str_)
        reading = np.array([majority for _, majority in agreed], dtype=np.int64)
        return cls(woman[usable], reading[usable], features[usable], left_out)

    def rows(self, index: NDArray[np.int64]) -> "Graded":
        """Select the given windows."""
        return Graded(self.woman[index], self.reading[index], self.features[index], self.left_out)
