"""Is the growth probability calibrated? On a construction with a known truth, from the measured heads."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from models.evaluation.metrics import auc, expected_calibration_error
from models.growth.assessment import AGE_SD_DAYS
from models.growth.biometry_standards import HEAD_CIRCUMFERENCE as STANDARD
from models.growth.measures import HC, NORMAL_90, Measured
from models.growth.probability import SMALL_Z, size_for_age
from models.ultrasound.interval import MEASURES, Intervals, empty_counts, error_counts
from studies.stored import Rows, column, table

Array = NDArray[np.float64]
DRAWS = 20
DAYS = (7.0 * STANDARD.first_week, 7.0 * STANDARD.last_week)


def constructed(rows: Rows, draws: int = DRAWS, seed: int = 0) -> tuple[Array, Array, Array]:
    """True z, P(small) and P(large) of each head, `draws` times.

    The true circumference is the annotation. A true z is drawn from the population and the true age is the one at
    which that circumference has that z; the stated age differs from it by the assumed error. What is judged is the
    measured circumference (out of fold) with the shipped kind of interval, at the stated age. Heads whose age would
    leave the standard are skipped.
    """
    rng = np.random.default_rng(seed)
    reference, estimate = column(rows, "reference_mm"), column(rows, "estimate_mm")
    counts = empty_counts()
    for truth, estimated in zip(reference, estimate, strict=True):
        counts += error_counts(dict.fromkeys(MEASURES, truth), dict.fromkeys(MEASURES, estimated))
    intervals = Intervals.from_counts(counts)
    judged = []
    for truth, estimated in zip(reference, estimate, strict=True):
        low, high = intervals.interval(HC, estimated, estimated)
        measured = {HC: Measured(float(estimated), (high - low) / 2 / NORMAL_90, "model")}
        for z in rng.normal(size=draws):
            if STANDARD.value_at(z, DAYS[0]) > truth or STANDARD.value_at(z, DAYS[1]) < truth:
                continue
            age = brentq(lambda days, z=z, truth=truth: STANDARD.value_at(z, days) - truth, *DAYS)
            stated = age + rng.normal(0, AGE_SD_DAYS)
            if not DAYS[0] <= stated <= DAYS[1]:
                continue
            size = size_for_age(STANDARD, measured, stated, AGE_SD_DAYS, lambda v: v[HC])
            judged.append((z, size.probability_small, size.probability_large))
    values = np.array(judged)
    return values[:, 0], values[:, 1], values[:, 2]


def perfect_calibration_limit(probability: Array, draws: int = 200, seed: int = 0) -> float:
    """95th percentile of the calibration error of a perfectly calibrated model with these predictions."""
    rng = np.random.default_rng(seed)
    errors = [expected_calibration_error(rng.random(len(probability)) < probability, probability) for _ in range(draws)]
    return float(np.percentile(errors, 95))


def growth_lines(rows: Rows) -> list[str]:
    """The table of the document."""
    z, small, large = constructed(rows)
    body = []
    for name, event, probability in (("below the 3rd", z < SMALL_Z, small), ("above the 97th", z > -SMALL_Z, large)):
        body.append(
            [
                name,
                str(len(z)),
                str(int(event.sum())),
                f"{probability.sum():.0f}",
                f"{expected_calibration_error(event, probability):.4f}",
                f"{perfect_calibration_limit(probability):.4f}",
                f"{auc(event, probability):.3f}",
            ]
        )
    return [
        "## Growth probability",
        "",
        "A construction, no evidence of detecting growth restriction: HC18 has no ages and no restricted fetus. The true",
        f"circumference is the annotation; a true z is drawn from the population, {DRAWS} times a head, and the true age follows",
        f"from both; the stated age errs by {AGE_SD_DAYS:g} days; what is judged is the measured head at the stated age. Draws",
        "of one head are not independent.",
        "",
        *table(["true head", "n", "events", "predicted", "ECE", "limit if perfect", "AUC"], body),
        "![Reliability](../images/evidence-growth-reliability.png)",
        "",
    ]
