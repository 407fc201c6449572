"""Calibration of boosted margins: softmax(scale * margin + bias), fitted on sums that add over sites.

This is vector scaling with one shared slope (Guo C et al. On calibration of modern neural networks. ICML 2017), fitted
by Newton steps on out-of-fold margins (no tree was trained on the woman). With two classes it is Platt scaling.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Array = NDArray[np.float64]


def two_classes(margin: Array) -> Array:
    """The log-odds of an event, shape (n, 1), as scores of no event and event, shape (n, 2)."""
    return np.hstack([np.zeros_like(margin), margin])


@dataclass(frozen=True)
class Calibration:
    """softmax(scale * margin + bias), fitted on out-of-fold rows.

    Attributes
    ----------
    scale : float
    bias : tuple of float
        Per class; the first is 0.
    rows, events, women : int
        Rows of the calibration set, those of the last class, and women.
    covariance : tuple of tuple of float
        Covariance of (scale, bias 1, ...): the inverse Hessian times the rows per woman, because rows of one woman are
        not independent.
    """

    scale: float = 1.0
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    rows: int = 0
    events: int = 0
    women: int = 0
    covariance: tuple[tuple[float, ...], ...] = ((0.0,) * 3,) * 3

    @classmethod
    def start(cls, classes: int) -> "Calibration":
        """Calibration that changes nothing, the start of the fit."""
        return cls(bias=(0.0,) * classes, covariance=((0.0,) * classes,) * classes)

    def probabilities(self, margin: Array) -> Array:
        """Calibrated class probabilities, shape (n, classes)."""
        return np.asarray(softmax(self.scale * margin + np.asarray(self.bias), axis=1))

    def logit_sd(self, margin: Array) -> Array:
        """Standard deviation of the log-odds of the last class by the delta method, shape (n,)."""
        others = softmax(self.scale * margin[:, :-1] + np.asarray(self.bias[:-1]), axis=1)
        slope = margin[:, -1] - (others * margin[:, :-1]).sum(axis=1)
        gradient = np.column_stack([slope, -others[:, 1:], np.ones(len(margin))])
        return np.asarray(np.sqrt(np.einsum("np,pq,nq->n", gradient, np.asarray(self.covariance), gradient)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """Inverse of `as_dict`."""
        covariance = tuple(tuple(row) for row in values["covariance"])
        return cls(**{**values, "bias": tuple(values["bias"]), "covariance": covariance})


@dataclass(frozen=True)
class CalibrationSums:
    """Gradient (k,) and Hessian (k, k) of the negative log-likelihood in (scale, bias 1, ...), for k classes.

    They add over sites, so a federation fits the same calibration as pooled rows would. They also count `rows`,
    `events` (rows of the last class) and `women`.
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


def calibration_sums(calibration: Calibration, margin: Array, label: NDArray[np.int64], women: int) -> CalibrationSums:
    """One site's sums at the present calibration; `margin` has shape (n, classes)."""
    classes = len(calibration.bias)
    probability = calibration.probabilities(margin)
    # d logit / d parameter, shape (n, classes, parameters)
    design = np.zeros((len(margin), classes, classes))
    design[:, :, 0] = margin
    for index in range(1, classes):
        design[:, index, index] = 1.0
    gradient = np.einsum("nc,ncp->p", probability - np.eye(classes)[label], design)
    mean = np.einsum("nc,ncp->np", probability, design)
    second = np.einsum("nc,ncp,ncq->pq", probability, design, design)
    return CalibrationSums(gradient, second - mean.T @ mean, len(label), int((label == classes - 1).sum()), women)


def newton_step(calibration: Calibration, sums: CalibrationSums, ridge: float = 1.0) -> Calibration:
    """One damped Newton step. A ridge pulls the fit towards scale 1 and bias 0 where rows are few."""
    parameters = np.array([calibration.scale, *calibration.bias[1:]])
    neutral = np.eye(1, len(parameters))[0]
    pull = ridge * (parameters - neutral)
    penalised = sums.hessian + ridge * np.eye(len(parameters))
    step = np.linalg.solve(penalised, sums.gradient + pull)
    scale, *bias = (float(value) for value in parameters - np.clip(step, -1.0, 1.0))
    covariance = np.linalg.inv(penalised) * max(1.0, sums.rows / max(sums.women, 1))
    return Calibration(
        scale=max(scale, 0.05),
        bias=(0.0, *bias),
        rows=sums.rows,
        events=sums.events,
        women=sums.women,
        covariance=tuple(tuple(float(value) for value in row) for row in covariance),
    )
