"""The label that CTG and ultrasound share: small, appropriate or large for the age.

At birth it is measured: weight and age on the Fetal Medicine Foundation's chart. For a head without an age it is
constructed: z is drawn from the population and the age is the one at which the circumference has that z. Such labels
show whether a method works, and nothing about growth restriction.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from models.growth.biometry_standards import HEAD_CIRCUMFERENCE as STANDARD
from models.representation.examples import UNKNOWN

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
SMALL_Z = float(norm.ppf(0.10))
_DAYS = (7.0 * STANDARD.first_week, 7.0 * STANDARD.last_week)
# Small and large are one cell each: thirds of them would hold too few rows at a site. Appropriate is cut into four.
CELLS = 6
_CUTS = norm.ppf((0.1, 0.3, 0.5, 0.7, 0.9))


def growth_class(z: Array) -> Labels:
    """0 small (below the 10th centile), 1 appropriate, 2 large (above the 90th); `UNKNOWN` for NaN."""
    return np.where(np.isfinite(z), np.digitize(z, [SMALL_Z, -SMALL_Z]), UNKNOWN).astype(np.int64)


def growth_cell(z: Array) -> Labels:
    """Cell 0 to 5: small, four of appropriate, large; `UNKNOWN` for NaN."""
    return np.where(np.isfinite(z), np.digitize(z, _CUTS), UNKNOWN).astype(np.int64)


def constructed_ages(examinations: Sequence[str], circumference_mm: Array) -> tuple[Array, Array]:
    """z and age (days) of each head, the same in every run: drawn by a hash of the examination's name.

    Heads whose age would leave the standard get NaN. Images of one examination share its age.
    """
    z, days = np.full(len(examinations), np.nan), np.full(len(examinations), np.nan)
    for examination in sorted(set(examinations)):
        rows = [row for row, name in enumerate(examinations) if name == examination]
        mean = float(circumference_mm[rows].mean())
        seed = int.from_bytes(sha256(examination.encode()).digest()[4:8], "big")
        drawn = float(np.random.default_rng(seed).normal())
        if STANDARD.value_at(drawn, _DAYS[0]) <= mean <= STANDARD.value_at(drawn, _DAYS[1]):
            z[rows] = drawn
            days[rows] = brentq(lambda age, z=drawn, hc=mean: STANDARD.value_at(z, age) - hc, *_DAYS)
    return z, days
