"""The panel grader: how a panel of clinicians would read a window, learned from hospitals' own readings.

It is optional, and no bundle that ships has one. Its answer stands beside the rules of the guidelines; it never changes
a state.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.boosting import margins
from models.ctg.calibration import Calibration
from models.ctg.pattern import Decision
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.ctg.trees_library import xgboost

READINGS = ("normal", "suspicious", "pathological")
WINDOW_S = 1800.0


@dataclass(frozen=True)
class PanelGrader:
    """Trees, calibration and decision rule.

    Attributes
    ----------
    booster : xgboost.Booster
        Over the trace features of one window.
    calibration : Calibration
    decision : Decision
        The reading whose expected error costs least.
    training_range : (ndarray, ndarray)
        Lowest and highest of the sites' 0.5th and 99.5th centiles of each feature.
    """

    booster: xgboost.Booster
    calibration: Calibration
    decision: Decision
    training_range: tuple[NDArray[np.float64], NDArray[np.float64]]

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of each reading, shape (n, 3), for features of shape (n, 75)."""
        return self.calibration.probabilities(margins(self.booster, features, TRACE_FEATURE_NAMES))

    def read(self, features: NDArray[np.float64]) -> dict[str, Any]:
        """The most likely reading of one window, with the probability of each."""
        probability = self.probabilities(features[None, :])
        chosen = READINGS[int(self.decision.states(probability)[0])]
        return {"reading": chosen, "probabilities": dict(zip(READINGS, probability[0].tolist(), strict=True))}
