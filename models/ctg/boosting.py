"""Gradient-boosted trees that travel: XGBoost (Chen T, Guestrin C. KDD 2016) from margins, and back to JSON.

A model has one output (logistic loss) or one a class (softmax). Both start from a margin of 0 at every site, so
that sites agree on the base score.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.special import expit, softmax

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BoostingSettings:
    """Hyper-parameters of the trees, the same at every site."""

    learning_rate: float = 0.1
    max_depth: int = 4
    min_child_weight: float = 2.0
    reg_lambda: float = 2.0
    subsample: float = 0.8
    colsample_bynode: float = 0.4

    def parameters(self, outputs: int, seed: int) -> dict[str, Any]:
        """XGBoost parameters for a model with this many outputs."""
        loss = {"objective": "multi:softprob", "num_class": outputs, "base_score": 0.0}
        if outputs == 1:
            loss = {"objective": "binary:logistic", "base_score": 0.5}
        return loss | {
            "eta": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "lambda": self.reg_lambda,
            "subsample": self.subsample,
            "colsample_bynode": self.colsample_bynode,
            "tree_method": "hist",
            "nthread": 1,
            "seed": seed,
            "verbosity": 0,
        }


def matrix(
    features: Array, names: Sequence[str], label: Array | None = None, weight: Array | None = None
) -> xgboost.DMatrix:
    """Rows as XGBoost wants them; NaN is missing."""
    return xgboost.DMatrix(features, label=label, weight=weight, feature_names=list(names), nthread=1)


def boost(
    rows: xgboost.DMatrix, margin: Array, rounds: int, settings: BoostingSettings, outputs: int, seed: int
) -> xgboost.Booster:
    """Boost `rounds` rounds (a tree an output each) from the given margins, shape (rows, outputs)."""
    rows.set_base_margin(margin.ravel())
    return xgboost.train(settings.parameters(outputs, seed), rows, num_boost_round=rounds)


def gradients(margin: Array, label: Array, weight: Array) -> tuple[Array, Array]:
    """First and second derivative of XGBoost's logistic or softmax loss, each of the shape of `margin`."""
    if margin.shape[1] == 1:
        probability = expit(margin)
        target, hessian = label[:, None], probability * (1.0 - probability)
    else:
        probability = softmax(margin, axis=1)
        target = np.eye(margin.shape[1])[label.astype(np.int64)]
        hessian = 2.0 * probability * (1.0 - probability)
    return (probability - target) * weight[:, None], np.maximum(hessian, 1e-16) * weight[:, None]


def margins(booster: xgboost.Booster, features: Array, names: Sequence[str]) -> Array:
    """Raw scores, shape (n, outputs)."""
    raw = booster.predict(matrix(features, names), output_margin=True)
    return np.asarray(raw, dtype=np.float64).reshape(len(features), -1)


def tree_json(booster: xgboost.Booster) -> dict[str, Any]:
    """The booster as the dictionary of its JSON form."""
    document: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return document


def booster_from(document: dict[str, Any]) -> xgboost.Booster:
    """A booster from the dictionary of its JSON form."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document).encode()))
    return booster
