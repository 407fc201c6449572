"""The acidaemia model: the probability of a low umbilical-artery pH, from a raw trace.

Few births have a pH below 7.05 (about 30 in CTU-UHB), too few for trees of their own. What lowers the pH below 7.20
also lowers it below 7.05. Each target is therefore predicted by several *threshold models*: logistic trees, one model
for each pH threshold. The mean of their margins is the margin of the target. The threshold models of a target are
shipped as one booster whose leaf values are divided by their number, so that its contributions stay exact.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.boosting import margins, matrix
from models.ctg.calibration import Calibration, two_classes
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.ctg.trees_library import xgboost

Array = NDArray[np.float64]
PH_THRESHOLDS = (7.05, 7.10, 7.15, 7.20, 7.25)
# Minutes hidden at the end of a trace, to show what could have been known earlier.
LEADS_MIN = (0, 15, 30, 45, 60)


@dataclass(frozen=True)
class Target:
    """An event of low pH that is predicted.

    Attributes
    ----------
    name : str
    event : str
        The event in words.
    threshold : float
        The umbilical-artery pH that defines the event.
    model_thresholds : tuple of float
        The pH thresholds of its threshold models.
    """

    name: str
    event: str
    threshold: float
    model_thresholds: tuple[float, ...]


TARGETS: tuple[Target, ...] = (
    Target("ph_le_7_15", "the umbilical-artery pH is at or below 7.15", 7.15, PH_THRESHOLDS),
    Target("ph_lt_7_05", "the umbilical-artery pH is below 7.05", 7.05, PH_THRESHOLDS[:3]),
)
MILD, SEVERE = TARGETS


def low_ph(ph: Array, threshold: float) -> NDArray[np.int64]:
    """1 where the pH is low: below 7.05, but at or below every other threshold, as in the literature."""
    return np.asarray(ph < threshold if threshold == SEVERE.threshold else ph <= threshold, dtype=np.int64)


@dataclass(frozen=True)
class AcidaemiaModel:
    """The mean of the threshold models of one target, and its calibration, as shipped."""

    booster: xgboost.Booster
    calibration: Calibration

    def margins(self, features: Array) -> Array:
        """Scores of no event and event, shape (n, 2), for features of shape (n, 75)."""
        return two_classes(margins(self.booster, features, TRACE_FEATURE_NAMES))

    def probabilities(self, features: Array) -> Array:
        """Calibrated probability of the event, shape (n,)."""
        return np.asarray(self.calibration.probabilities(self.margins(features))[:, 1])

    def probabilities_or_prior(self, features: Array) -> Array:
        """Give `probabilities`, and the prevalence in the calibration set where a trace cannot be assessed."""
        assessed = np.isfinite(features).any(axis=1)
        prevalence = self.calibration.events / self.calibration.rows
        return np.where(assessed, self.probabilities(features), prevalence)

    def contributions(self, features: Array) -> tuple[Array, Array]:
        """Exact TreeSHAP contributions to the calibrated log-odds.

        Returns
        -------
        contributions : ndarray, shape (n, 75)
        base : ndarray, shape (n,)
            Contributions plus base equal the log-odds within float32 rounding.
        """
        values = np.asarray(
            self.booster.predict(matrix(features, TRACE_FEATURE_NAMES), pred_contribs=True), dtype=np.float64
        )
        scaled = self.calibration.scale * values
        return scaled[:, :-1], scaled[:, -1] + self.calibration.bias[1]
