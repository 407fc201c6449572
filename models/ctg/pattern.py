"""The pattern model: gradient-boosted trees for normal / suspect / pathological, on SisPorto's features.

There is one model for each *view* (set of inputs). The view ``table`` has all 21 features. The view ``trace`` has only
those that a raw trace fills by the same definition; it is trained with and without contractions, so that the trees
learn how to treat a missing tocogram. Both also have features derived from these: where the histogram lies relative to
the baseline, and a few sums (`models.ctg.features.DERIVED`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.ctg.boosting import margins, matrix
from models.ctg.calibration import Calibration
from models.ctg.features import DESIGN_NAMES, FEATURE_NAMES, as_trace_would, design
from models.ctg.trees_library import xgboost

Array = NDArray[np.float64]
STATES = ("normal", "suspect", "pathological")
View = Literal["table", "trace"]
VIEWS: tuple[View, ...] = ("table", "trace")
ROWS_PER_WOMAN = 10.0


def training_weights(
    state: NDArray[np.int64], woman: NDArray[np.str_], class_weights: tuple[float, float, float]
) -> Array:
    """Weight of each row: the weight of its class, smaller where a woman has many rows, because these overlap."""
    _, index, count = np.unique(woman, return_inverse=True, return_counts=True)
    return np.asarray(class_weights)[state] * np.sqrt(ROWS_PER_WOMAN / count[index])


def seen_by(view: View, features: Array) -> Array:
    """The inputs of a view, from features of shape (n, 21) to shape (n, len(DESIGN_NAMES))."""
    return design(as_trace_would(features) if view == "trace" else features)


def without_contractions(features: Array) -> Array:
    """The features as they would be without a tocogram."""
    without = features.copy()
    without[:, FEATURE_NAMES.index("contractions_per_s")] = np.nan
    return without


@dataclass(frozen=True)
class Decision:
    """The decision rule: the class with the largest probability times its weight."""

    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def states(self, probability: Array) -> NDArray[np.int64]:
        """Index of the chosen state, shape (n,)."""
        return np.asarray(np.argmax(probability * np.asarray(self.weights), axis=1), dtype=np.int64)


@dataclass(frozen=True)
class PatternModel:
    """Merged trees, calibration and decision rule of one view, as shipped."""

    booster: xgboost.Booster
    calibration: Calibration
    decision: Decision = field(default_factory=Decision)

    def _rows(self, features: Array) -> tuple[Array, Sequence[str]]:
        """Features and derived features. Models of bundles before version 0.2 have the 21 features alone."""
        if self.booster.num_features() == len(FEATURE_NAMES):
            return features, FEATURE_NAMES
        return design(features), DESIGN_NAMES

    def margins(self, features: Array) -> Array:
        """Raw class scores, shape (n, 3)."""
        return margins(self.booster, *self._rows(features))

    def probabilities(self, features: Array) -> Array:
        """Calibrated probabilities of normal, suspect, pathological, shape (n, 3)."""
        return self.calibration.probabilities(self.margins(features))

    def contributions(self, features: Array, state: int = 2) -> tuple[Array, Array]:
        """Exact TreeSHAP contributions (Lundberg SM et al. Nat Mach Intell 2020;2:56-67) to one state.

        They explain the calibrated score of `state` relative to the mean score of the other two, in
        log-odds units; unlike the log-odds itself that quantity is additive in the features.

        Returns
        -------
        contributions : ndarray, shape (n, 21) or (n, len(DESIGN_NAMES))
        base : ndarray, shape (n,)
            Contributions plus base equal the relative score within float32 rounding.
        """
        values = np.asarray(self.booster.predict(matrix(*self._rows(features)), pred_contribs=True), dtype=np.float64)
        others = [index for index in range(len(STATES)) if index != state]
        relative = self.calibration.scale * (values[:, state] - values[:, others].mean(axis=1))
        bias = self.calibration.bias
        shift = bias[state] - float(np.mean([bias[index] for index in others]))
        return relative[:, :-1], relative[:, -1] + shift
