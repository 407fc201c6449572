"""How unlike the training traces a trace is: a distance that does not punish deterioration.

The model has never seen what lies outside the training range. But a trace outside it in a *deteriorating* direction
(lower variability, deeper decelerations, a higher or lower rate) is not strange: it is bad, and trees continue their
last value there. Such measurements are taken as if they lay at the bound. What is left is measured in units of the
training range, once for each measure and not once for each window of it.
"""

import numpy as np
from numpy.typing import NDArray

from models.ctg.trace_features import MEASURES, WINDOWS_MIN

Array = NDArray[np.float64]
# Training traces (439 of CTU-UHB), each judged by the range of the others: 99th centile 0.26, largest distance 0.51.
MAX_UNLIKENESS = 0.55
LOWER, HIGHER, BOTH = (-1,), (1,), (-1, 1)
# Directions in which a measure deteriorates. The others (roughness) have none.
DETERIORATES: dict[str, tuple[int, ...]] = {
    "baseline_mean_bpm": BOTH,
    "baseline_highest_bpm": BOTH,
    "baseline_drift_bpm": HIGHER,
    "fhr_p5_bpm": BOTH,
    "fhr_p25_bpm": BOTH,
    "fhr_sd_bpm": BOTH,
    "deviation_sd_bpm": BOTH,
    "poincare_sd1_bpm": LOWER,
    "poincare_sd2_bpm": LOWER,
    "share_below_100": HIGHER,
    "share_below_110": HIGHER,
    "share_above_160": HIGHER,
    "share_15_below": HIGHER,
    "decelerations_per_min": HIGHER,
    "deepest_deceleration_bpm": HIGHER,
    "longest_deceleration_s": HIGHER,
    "accelerations_per_min": LOWER,
    "acceleration_area_bpm": LOWER,
    "bandwidth_bpm": BOTH,
    "epoch_variation_ms": LOWER,
    "deceleration_capacity_bpm": HIGHER,
    "acceleration_capacity_bpm": LOWER,
    "contractions_per_min": HIGHER,
}


def excess(features: Array, low: Array, high: Array) -> Array:
    """How far each measure lies outside the range in a direction that is not a deterioration, in units of the range.

    Parameters
    ----------
    features, low, high : ndarray, shape (75,)
        In the order of `models.ctg.trace_features.TRACE_FEATURE_NAMES`; a missing one does not count.

    Returns
    -------
    ndarray, shape (25,)
        The largest of the three windows of each measure.
    """
    width = np.maximum(high - low, 1e-9)
    names = MEASURES * len(WINDOWS_MIN)
    below = np.where([-1 in DETERIORATES.get(name, ()) for name in names], 0.0, np.maximum(low - features, 0.0))
    above = np.where([1 in DETERIORATES.get(name, ()) for name in names], 0.0, np.maximum(features - high, 0.0))
    outside = np.nan_to_num((below + above) / width)
    return np.asarray(outside.reshape(len(WINDOWS_MIN), len(MEASURES)).max(axis=0))


def unlikeness(features: Array, bounds: tuple[Array, Array]) -> float:
    """Distance to the training range, in units of the range of a measure."""
    return float(np.sqrt(np.sum(excess(features, *bounds) ** 2)))


def strangest(features: Array, bounds: tuple[Array, Array], count: int = 3) -> list[str]:
    """Names of the measures that lie furthest outside, the furthest first."""
    far = excess(features, *bounds)
    return [MEASURES[i] for i in np.argsort(-far)[:count] if far[i] > 0]
