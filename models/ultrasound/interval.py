"""Conformal intervals of the head's measures, by size: from histograms of relative errors that add over sites.

Small and large heads have different errors, so each size band has its own quantiles (Mondrian conformal prediction,
Vovk V et al. Algorithmic Learning in a Random World. 2005). The bands end at the mean circumference of 14+0 and 28+0
weeks, so that the coverage holds for each trimester. Two more limits divide the second trimester.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.growth.measures import BPD, HC, OFD

EDGES_MM = (97.9, 150.0, 210.0, 260.4)
MEASURES = (HC, BPD, OFD)
COVERAGE = 0.9
ERROR_STEP = 0.0005
ERROR_BINS = 1000
_LOWEST = -ERROR_STEP * ERROR_BINS / 2


def band_of(circumference_mm: float, edges: tuple[float, ...] = EDGES_MM) -> int:
    """Size band of a measured circumference."""
    return int(np.digitize(circumference_mm, edges))


def trimester_of(circumference_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """0, 1, 2 by the mean head of 14+0 and 28+0 weeks: HC18 states no age."""
    return np.asarray(np.digitize(circumference_mm, (EDGES_MM[0], EDGES_MM[-1])), dtype=np.int64)


def empty_counts() -> NDArray[np.int64]:
    """Zeros of shape (3 measures, 5 bands, 1000 bins)."""
    return np.zeros((len(MEASURES), len(EDGES_MM) + 1, ERROR_BINS), dtype=np.int64)


def error_bin(reference: float, estimate: float) -> int:
    """Bin of the signed error (reference - estimate) / estimate; what lies beyond +/- 25 % counts in the last bins."""
    share = (reference - estimate) / estimate if estimate > 0 else np.inf
    return int(np.clip((share - _LOWEST) / ERROR_STEP, 0, ERROR_BINS - 1))


def error_counts(references: Mapping[str, float], estimates: Mapping[str, float]) -> NDArray[np.int64]:
    """Histograms with the errors of one head, by measure, in the shape of `empty_counts`. Those of heads are added."""
    counts = empty_counts()
    band = band_of(estimates[HC])
    for row, measure in enumerate(MEASURES):
        counts[row, band, error_bin(references[measure], estimates[measure])] += 1
    return counts


def _quantiles(counts: NDArray[np.int64], coverage: float) -> tuple[float, float] | None:
    """Outer edges of the bins at the two conformal ranks, or None where there are too few errors."""
    total = int(counts.sum())
    rank = int(np.floor((total + 1) * (1 - coverage) / 2 + 1e-9))
    if rank < 1:
        return None
    below = np.cumsum(counts)
    low = int(np.searchsorted(below, rank))
    high = int(np.searchsorted(below, total + 1 - rank))
    return round(_LOWEST + low * ERROR_STEP, 6), round(_LOWEST + (high + 1) * ERROR_STEP, 6)


@dataclass(frozen=True)
class Intervals:
    """Relative bounds of each measure by size band.

    Attributes
    ----------
    edges_mm : tuple of float
        Between the bands, of the measured circumference.
    bounds : dict of str to tuple of (low, high)
        By measure, one pair a band: the true value lies in estimate * (1 + low) to estimate * (1 + high).
    coverage : float
    """

    edges_mm: tuple[float, ...]
    bounds: Mapping[str, tuple[tuple[float, float], ...]]
    coverage: float = COVERAGE

    @classmethod
    def from_counts(cls, counts: NDArray[np.int64], coverage: float = COVERAGE) -> "Intervals":
        """Quantiles of each band; a band with too few errors takes those of all bands together.

        Raises
        ------
        ValueError
            Too few errors altogether for this coverage.
        """
        bounds = {}
        for measure, bands in zip(MEASURES, counts, strict=True):
            together = _quantiles(bands.sum(axis=0), coverage)
            if together is None:
                raise ValueError(f"{int(bands.sum())} calibration images are too few for {coverage:.0%} coverage")
            bounds[measure] = tuple(_quantiles(band, coverage) or together for band in bands)
        return cls(EDGES_MM, bounds, coverage)

    def interval(self, measure: str, estimate: float, circumference_mm: float) -> tuple[float, float]:
        """Lower and upper bound of the true value, mm."""
        low, high = self.bounds[measure][band_of(circumference_mm, self.edges_mm)]
        return estimate * (1 + low), estimate * (1 + high)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        bounds = {name: [list(pair) for pair in pairs] for name, pairs in self.bounds.items()}
        return {"edges_mm": list(self.edges_mm), "bounds": bounds, "coverage": self.coverage}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Intervals":
        """Inverse of `as_dict`; a bundle of an earlier version has one symmetric share for every size and measure."""
        if "error_quantile" in values:
            share = float(values["error_quantile"])
            return cls((), dict.fromkeys(MEASURES, ((-share, share),)), float(values["coverage"]))
        bounds = {name: tuple((float(a), float(b)) for a, b in pairs) for name, pairs in values["bounds"].items()}
        return cls(tuple(float(edge) for edge in values["edges_mm"]), bounds, float(values["coverage"]))
