"""Bandwidth variability: the amplitude of oscillation of the heart rate, minute by minute."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bandwidth_bpm(fhr_bpm: Array, sampling_rate_hz: float, level_bpm: Array, quiet: NDArray[np.bool_]) -> float | None:
    """Median over minutes of the 2.5th-97.5th centile range around the baseline, bpm.

    Parameters
    ----------
    fhr_bpm : ndarray, shape (n,)
        Samples as recorded.
    level_bpm : ndarray, shape (seconds,)
        Baseline.
    quiet : ndarray of bool, shape (seconds,)
        Seconds outside accelerations and decelerations.

    Returns
    -------
    float or None
        None when no minute has at least 30 s of quiet signal. Variability by visual bandwidth is
        what FIGO 2015 grades (5 to 25 bpm is normal).
    """
    second = np.minimum((np.arange(len(fhr_bpm)) / sampling_rate_hz).astype(int), len(level_bpm) - 1)
    usable = np.isfinite(fhr_bpm) & quiet[second]
    distance = fhr_bpm - level_bpm[second]
    ranges = []
    for minute in range(int(np.ceil(len(level_bpm) / 60))):
        inside = usable & (second // 60 == minute)
        if inside.sum() >= 30 * sampling_rate_hz:
            low, high = np.percentile(distance[inside], [2.5, 97.5])
            ranges.append(high - low)
    return float(np.median(ranges)) if ranges else None
