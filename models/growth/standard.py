"""A growth standard: the z-score of a value at an age, and the value of a z-score at an age.

Ages are exact: 28+3 weeks is 28.43. A standard gives no answer outside the ages that it covers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from models.errors import RangeError

CENTILES = (3.0, 10.0, 50.0, 90.0, 97.0)
ScoreOf = Callable[[float, float], float]


class Curve(NamedTuple):
    """The two functions of a chart.

    Attributes
    ----------
    score : callable
        ``score(value, weeks)`` gives z.
    value : callable
        ``value(z, weeks)`` is its inverse, mm or g.
    """

    score: ScoreOf
    value: ScoreOf


@dataclass(frozen=True)
class Standard:
    """One chart of one measure.

    Attributes
    ----------
    key, name : str
        The key is used in plans, the name on pages.
    measure : str
        One of the names in `models.growth.measures`.
    first_week, last_week : int
        Ages covered, both ends included.
    source : str
        The paper, and how far the figures were checked.
    second_hand : bool
        True when the coefficients were not read in the paper itself.
    curve : Curve
    formulas : tuple of str
        For weight charts: the formulas whose estimates this chart may judge.
    printed : tuple of float, optional
        Lowest and highest printed z. A centile outside this range is only named as below or above it.
    """

    key: str
    name: str
    measure: str
    first_week: int
    last_week: int
    source: str
    second_hand: bool
    curve: Curve
    formulas: tuple[str, ...] = ()
    printed: tuple[float, float] | None = None

    def check_age(self, age_days: float) -> None:
        """Raise RangeError when the standard does not cover this age."""
        if not 7 * self.first_week <= age_days <= 7 * self.last_week:
            weeks, days = divmod(int(age_days), 7)
            raise RangeError(
                f"{self.name} covers {self.first_week}+0 to {self.last_week}+0 weeks; {weeks}+{days} is outside"
            )

    def z_score(self, value: float, age_days: float) -> float:
        """The z-score of a value (mm or g) at an age in days.

        Raises
        ------
        RangeError
            The standard does not cover the age, or the value is impossible on this chart.
        """
        self.check_age(age_days)
        z = self.curve.score(value, age_days / 7.0)
        if not np.isfinite(z):
            raise RangeError(f"{value:g} is not possible on {self.name}")
        return z

    def value_at(self, z: float, age_days: float) -> float:
        """The value (mm or g) that has this z-score at an age in days."""
        self.check_age(age_days)
        return self.curve.value(z, age_days / 7.0)

    def centile_text(self, z: float) -> str:
        """The centile in words, never more precise than the printed standard."""
        low, high = self.printed or (-float("inf"), float("inf"))
        if z < low:
            return f"below {100 * ndtr(low):g}"
        if z > high:
            return f"above {100 * ndtr(high):g}"
        centile = 100.0 * float(ndtr(z))
        if centile < 1:
            return "below 1"
        return "above 99" if centile > 99 else f"{centile:.0f}"

    def curves(self, step_days: int = 7) -> dict[str, NDArray[np.float64]]:
        """The chart: an array ``weeks``, and one array for each of the 3rd, 10th, 50th, 90th and 97th centile."""
        weeks = np.arange(7 * self.first_week, 7 * self.last_week + 1, step_days) / 7.0
        return {"weeks": weeks} | {
            f"{c:g}": np.array([self.curve.value(float(ndtri(c / 100)), float(g)) for g in weeks]) for c in CENTILES
        }


def normal(mean: Callable[[float], float], sd: Callable[[float], float]) -> Curve:
    """The curve of a value that is normally distributed at each age."""
    return Curve(lambda v, g: (v - mean(g)) / sd(g), lambda z, g: mean(g) + z * sd(g))


def skewed_log(
    skew: Callable[[float], float], median: Callable[[float], float], spread: Callable[[float], float]
) -> Curve:
    """The curve of Cole's LMS method on the logarithm of the value."""

    def score(value: float, g: float) -> float:
        length, ratio = skew(g), float(np.log(value)) / median(g)
        if ratio <= 0:
            return float("nan")
        return float((ratio**length - 1) / (length * spread(g)) if length else np.log(ratio) / spread(g))

    def value(z: float, g: float) -> float:
        length = skew(g)
        inner = 1 + length * spread(g) * z
        ratio = inner ** (1 / length) if length else float(np.exp(spread(g) * z))
        return float(np.exp(median(g) * ratio))

    return Curve(score, value)


def between_printed(weeks: Sequence[int], z_printed: Sequence[float], table: Sequence[Sequence[float]]) -> Curve:
    """The curve by interpolation in a printed table.

    Between weeks, the logarithm of each centile's value is interpolated. Between centiles, the value is interpolated
    linearly in z. Outside the printed centiles, the slope of the outermost interval is continued so that a probability
    can be computed. The centile itself is then only named as below or above the printed ones.

    Parameters
    ----------
    weeks : sequence of int
    z_printed : sequence of float
        z-score of each printed centile.
    table : sequence of sequence of float
        One row a week, one column a centile, mm or g.
    """
    logs, deviates = np.log(np.asarray(table, dtype=float)), np.asarray(z_printed, dtype=float)

    def row(g: float) -> NDArray[np.float64]:
        return np.exp([np.interp(g, weeks, logs[:, k]) for k in range(logs.shape[1])])

    def line(x: float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
        k = int(np.clip(np.searchsorted(xs, x) - 1, 0, len(xs) - 2))
        return float(ys[k] + (x - xs[k]) * (ys[k + 1] - ys[k]) / (xs[k + 1] - xs[k]))

    return Curve(lambda v, g: line(v, row(g), deviates), lambda z, g: line(z, deviates, row(g)))
