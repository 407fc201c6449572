"""The pattern model: gradient-boosted trees for normal / suspect / pathological, and their calibration.

Trees are XGBoost (Chen T, Guestrin C. KDD 2016). There is one model a *view*: ``table`` sees all 21
SisPorto features, ``trace`` only those that a raw trace fills by the same definition; it is trained
with and without contractions, so that the direction a missing tocogram takes is learned, not left to
a default. Probabilities are softmax(scale * margin + bias): vector scaling with one shared slope (Guo C
et al. On calibration of modern neural networks. ICML 2017), fitted by Newton steps on sums, which add
over sites, of margins that come from trees that never saw the row's woman.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.special import softmax

from models.ctg.features import FEATURE_NAMES, as_trace_would

Array = NDArray[np.float64]
STATES = ("normal", "suspect", "pathological")
View = Literal["table", "trace"]
VIEWS: tuple[View, ...] = ("table", "trace")


@dataclass(frozen=True)
class BoostingSettings:
    """Hyper-parameters of the trees, the same at every site."""

    learning_rate: float = 0.1
    max_depth: int = 4
    min_child_weight: float = 2.0
    reg_lambda: float = 2.0
    subsample: float = 0.8
    colsample_bytree: float = 0.6
    class_weights: tuple[float, float, float] = (1.0, 2.0, 3.0)

    def parameters(self, seed: int) -> dict[str, Any]:
        """XGBoost parameters; the base score is fixed so that sites agree on it."""
        return {
            "objective": "multi:softprob",
            "num_class": len(STATES),
            "base_score": 0.0,
            "eta": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "lambda": self.reg_lambda,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "tree_method": "hist",
            "nthread": 1,
            "seed": seed,
            "verbosity": 0,
        }


def view_matrix(features: Array, state: NDArray[np.int64], settings: BoostingSettings, view: View) -> xgboost.DMatrix:
    """Training matrix of one view; the trace view shows every row with and without contractions."""
    weights = np.asarray(settings.class_weights)[state]
    if view == "trace":
        seen = as_trace_would(features)
        blind = seen.copy()
        blind[:, FEATURE_NAMES.index("contractions_per_s")] = np.nan
        features = np.vstack([seen, blind])
        state, weights = np.concatenate([state, state]), 0.5 * np.concatenate([weights, weights])
    return xgboost.DMatrix(features, label=state, weight=weights, feature_names=list(FEATURE_NAMES), nthread=1)


def boost(
    matrix: xgboost.DMatrix, margin: Array, rounds: int, settings: BoostingSettings, seed: int
) -> xgboost.Booster:
    """Boost `rounds` rounds (three trees each) from the given margins, shape (rows of the matrix, 3)."""
    matrix.set_base_margin(margin.ravel())
    return xgboost.train(settings.parameters(seed), matrix, num_boost_round=rounds)


def softmax_gradients(margin: Array, label: Array, weight: Array) -> tuple[Array, Array]:
    """First and second derivative of XGBoost's ``multi:softprob`` loss, each of shape (n, 3)."""
    probability = softmax(margin, axis=1)
    target = np.eye(len(STATES))[label.astype(np.int64)]
    hessian = np.maximum(2.0 * probability * (1.0 - probability), 1e-16)
    return (probability - target) * weight[:, None], hessian * weight[:, None]


def margins(booster: xgboost.Booster, features: Array) -> Array:
    """Raw class scores, shape (n, 3)."""
    matrix = xgboost.DMatrix(features, feature_names=list(FEATURE_NAMES), nthread=1)
    return np.asarray(booster.predict(matrix, output_margin=True), dtype=np.float64).reshape(len(features), 3)


@dataclass(frozen=True)
class Calibration:
    """softmax(scale * margin + bias), fitted on rows that no tree saw.

    Attributes
    ----------
    scale : float
    bias : tuple of float
        Per class; the first is 0.
    rows, events, women : int
        Size of the calibration set, its pathological rows, its women.
    covariance : tuple of tuple of float
        Of (scale, bias 1, bias 2): inverse Hessian times the rows a woman, for rows of one woman are
        not independent.
    """

    scale: float = 1.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rows: int = 0
    events: int = 0
    women: int = 0
    covariance: tuple[tuple[float, ...], ...] = ((0.0,) * 3,) * 3

    def probabilities(self, margin: Array) -> Array:
        """Calibrated class probabilities, shape (n, 3)."""
        return np.asarray(softmax(self.scale * margin + np.asarray(self.bias), axis=1))

    def logit_sd(self, margin: Array) -> Array:
        """Standard deviation of the log-odds of "pathological" by the delta method, shape (n,)."""
        others = softmax(self.scale * margin[:, :2] + np.asarray(self.bias[:2]), axis=1)
        slope = margin[:, 2] - (others * margin[:, :2]).sum(axis=1)
        gradient = np.column_stack([slope, -others[:, 1], np.ones(len(margin))])
        return np.asarray(np.sqrt(np.einsum("np,pq,nq->n", gradient, np.asarray(self.covariance), gradient)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """Inverse of `as_dict`."""
        known = dict(values)
        known["bias"] = tuple(values["bias"])
        known["covariance"] = tuple(tuple(row) for row in values["covariance"])
        return cls(**known)


@dataclass(frozen=True)
class CalibrationSums:
    """Gradient (3,) and Hessian (3, 3) of the negative log-likelihood in (scale, bias 1, bias 2).

    They add over sites, so a federation fits the same calibration as pooled rows would. `rows`,
    `events` (pathological rows) and `women` are counted along.
    """

    gradient: Array
    hessian: Array
    rows: int
    events: int
    women: int

    def __add__(self, other: "CalibrationSums") -> "CalibrationSums":
        return CalibrationSums(
            self.gradient + other.gradient,
            self.hessian + other.hessian,
            self.rows + other.rows,
            self.events + other.events,
            self.women + other.women,
        )


def calibration_sums(calibration: Calibration, margin: Array, state: NDArray[np.int64], women: int) -> CalibrationSums:
    """One site's sums at the present calibration."""
    probability = calibration.probabilities(margin)
    # d logit / d parameter, shape (n, 3 classes, 3 parameters)
    design = np.zeros((len(margin), 3, 3))
    design[:, :, 0] = margin
    design[:, 1, 1] = 1.0
    design[:, 2, 2] = 1.0
    gradient = np.einsum("nc,ncp->p", probability - np.eye(3)[state], design)
    mean = np.einsum("nc,ncp->np", probability, design)
    second = np.einsum("nc,ncp,ncq->pq", probability, design, design)
    return CalibrationSums(gradient, second - mean.T @ mean, len(state), int((state == 2).sum()), women)


def newton_step(calibration: Calibration, sums: CalibrationSums, ridge: float = 1.0) -> Calibration:
    """One damped Newton step; a ridge pulls towards scale 1 and bias 0 where rows are few."""
    parameters = np.array([calibration.scale, *calibration.bias[1:]])
    pull = ridge * (parameters - np.array([1.0, 0.0, 0.0]))
    step = np.linalg.solve(sums.hessian + ridge * np.eye(3), sums.gradient + pull)
    scale, suspect, pathological = (float(value) for value in parameters - np.clip(step, -1.0, 1.0))
    covariance = np.linalg.inv(sums.hessian + ridge * np.eye(3)) * max(1.0, sums.rows / max(sums.women, 1))
    return Calibration(
        max(scale, 0.05),
        (0.0, suspect, pathological),
        sums.rows,
        sums.events,
        sums.women,
        tuple(tuple(float(value) for value in row) for row in covariance),
    )


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

    def probabilities(self, features: Array) -> Array:
        """Calibrated probabilities of normal, suspect, pathological, shape (n, 3)."""
        return self.calibration.probabilities(margins(self.booster, features))

    def contributions(self, features: Array, state: int = 2) -> tuple[Array, Array]:
        """Exact TreeSHAP contributions (Lundberg SM et al. Nat Mach Intell 2020;2:56-67) to one state.

        They explain the calibrated score of `state` relative to the mean score of the other two, in
        log-odds units; unlike the log-odds itself that quantity is additive in the features.

        Returns
        -------
        contributions : ndarray, shape (n, 21)
        base : ndarray, shape (n,)
            Contributions plus base equal the relative score within float32 rounding.
        """
        matrix = xgboost.DMatrix(features, feature_names=list(FEATURE_NAMES), nthread=1)
        values = np.asarray(self.booster.predict(matrix, pred_contribs=True), dtype=np.float64)
        others = [index for index in range(len(STATES)) if index != state]
        relative = self.calibration.scale * (values[:, state] - values[:, others].mean(axis=1))
        bias = self.calibration.bias
        shift = bias[state] - float(np.mean([bias[index] for index in others]))
        return relative[:, :-1], relative[:, -1] + shift


def tree_json(booster: xgboost.Booster) -> dict[str, Any]:
    """The booster as the dictionary of its JSON form."""
    document: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return document


def booster_from(document: dict[str, Any]) -> xgboost.Booster:
    """A booster from the dictionary of its JSON form."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document).encode()))
    return booster
