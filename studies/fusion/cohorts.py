"""Three cohorts that stand in for women with both examinations and an outcome, and are never mixed.

* *real pairs*: CTU-UHB; a trace, a pH, and the size at birth in place of a scan.
* *semi-real*: each of these births gets a head of HC18, at the age (14 to 36 weeks) at which its z-score is what
  tracking would have made of the size at birth. Trace, outcome and pixels are real; that they belong together is not.
* *copula*: synthetic, for stress: the trace's log-odds as held-out births have them, a size whose odds ratio,
  dependence on the trace and missingness are assumed. It shows what would follow from them, and nothing clinical.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from models.datasets.ctu_uhb import BirthRecord
from models.fusion.growth_odds import ANCHOR_Z
from models.fusion.held_out_births import BirthSizes
from models.growth.biometry_standards import HEAD_CIRCUMFERENCE
from models.growth.birth_weight import birth_weight_z
from models.growth.weight import FMF_2018, HADLOCK_1991, INTERGROWTH_2020

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]
SCAN_DAYS = (14 * 7.0, 36 * 7.0)
TRIES = 200
CHARTS = {"z_fmf": FMF_2018, "z_hadlock": HADLOCK_1991, "z_intergrowth": INTERGROWTH_2020}


def real_pairs(records: Sequence[BirthRecord]) -> Rows:
    """One row a birth; a z-score is empty where its chart does not reach."""
    weight = np.array([record.birth_weight_g for record in records])
    weeks = np.array([record.completed_weeks for record in records])
    sizes = {name: birth_weight_z(weight, weeks, chart) for name, chart in CHARTS.items()}
    return [
        {
            "record": record.name,
            "ph": record.ph,
            "completed_weeks": record.completed_weeks,
            "parity": record.parity,
            "maternal_age": record.maternal_age,
            "second_stage": int(record.second_stage_s is not None),
            **{name: round(float(z[row]), 4) if np.isfinite(z[row]) else "" for name, z in sizes.items()},
        }
        for row, record in enumerate(records)
    ]


def semi_real(
    names: Sequence[str],
    z: Array,
    completed_weeks: Array,
    images: Sequence[str],
    circumference_mm: Array,
    correlation: float,
    seed: int,
) -> Rows:
    """A scan for every birth whose size is known.

    Parameters
    ----------
    names, z, completed_weeks : n births
    images, circumference_mm : m images
        Reference circumference, which fixes the age; what is measured later is another matter.
    correlation : float
        Of the head's z-score with that of the birth weight (both standardised), in [0, 1].
    seed : int

    Returns
    -------
    list of dict
        ``record``, ``image``, ``head_z``, ``scan_days`` (gestational age), ``days_before_birth``.
    """
    rng = np.random.default_rng(seed)
    sizes = BirthSizes.of(z)
    noise = (1.0 - correlation**2) ** 0.5
    scans: Rows = []
    for name, size, weeks in zip(names, z, completed_weeks, strict=True):
        if not np.isfinite(size):
            continue
        wanted = correlation * (size - sizes.mean) / sizes.sd + noise * float(rng.normal())
        for image in rng.integers(0, len(images), TRIES):
            days = _age_of(float(circumference_mm[image]), wanted)
            if days is not None:
                before = round(7 * (weeks + 0.5) - days)
                row = {"record": name, "image": images[image], "head_z": round(wanted, 4), "scan_days": round(days)}
                scans.append({**row, "days_before_birth": before})
                break
    return scans


def _age_of(circumference_mm: float, z: float) -> float | None:
    """The age (days) at which a head of this size has this z-score; None outside 14 to 36 weeks."""
    ends = [HEAD_CIRCUMFERENCE.value_at(z, days) for days in SCAN_DAYS]
    if not ends[0] <= circumference_mm <= ends[1]:
        return None
    return float(brentq(lambda days: HEAD_CIRCUMFERENCE.value_at(z, days) - circumference_mm, *SCAN_DAYS))


@dataclass(frozen=True)
class Assumptions:
    """Of a copula cohort.

    Attributes
    ----------
    odds_ratio : float
        Of the event at the mean size of those below the 3rd centile against the median; log-odds are linear in z.
    dependence : float
        Correlation, within births with and without the event, of the trace's log-odds with smallness.
    prevalence : float
    missing : float
        Share without a known size.
    births : int
    """

    odds_ratio: float = 3.5
    dependence: float = 0.0
    prevalence: float = 0.2
    missing: float = 0.0
    births: int = 20_000


@dataclass(frozen=True)
class CopulaCohort:
    """Synthetic births: event, log-odds of the trace (calibrated at the margins' own prevalence), z (NaN: missing)."""

    event: NDArray[np.bool_]
    trace: Array
    z: Array


def copula_cohort(assumed: Assumptions, trace: Array, seed: int) -> CopulaCohort:
    """Draw a cohort.

    Parameters
    ----------
    trace : ndarray, shape (n,)
        Held-out log-odds of real births. They are taken to be exactly calibrated at their own prevalence, which fixes
        how they spread among births with and without the event.
    seed : int
    """
    rng = np.random.default_rng(seed)
    happened = rng.random(assumed.births) < assumed.prevalence
    slope = float(np.log(assumed.odds_ratio)) / ANCHOR_Z
    # With log-odds linear in z, births with the event have the same normal, moved by the slope.
    common = rng.standard_normal(assumed.births)
    smallness = assumed.dependence * common + (1 - assumed.dependence**2) ** 0.5 * rng.standard_normal(assumed.births)
    z = -smallness + np.where(happened, slope, 0.0)
    level, probability = norm.cdf(common), expit(trace)
    drawn = np.where(happened, _quantiles(trace, probability, level), _quantiles(trace, 1 - probability, level))
    z[rng.random(assumed.births) < assumed.missing] = np.nan
    return CopulaCohort(happened, drawn, z)


def _quantiles(values: Array, weight: Array, level: Array) -> Array:
    """Of weighted values, linear between them."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) - 0.5 * weight[order]
    return np.asarray(np.interp(level, reached / weight.sum(), values[order]))
