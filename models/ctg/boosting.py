"""Gradient-boosted trees (XGBoost; Chen T, Guestrin C. KDD 2016): boost from given margins, convert to and from JSON.

A model has one output (logistic loss) or one output for each class (softmax). Both start from a margin of 0 at every
site, so that all sites have the same base score.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from models.ctg.boosting_settings import BoostingSettings
from models.ctg.trees_library import xgboost

Array = NDArray[np.float64]


def matrix(
    features: Array, names: Sequence[str], label: Array | None = None, weight: Array | None = None
) -> xgboost.DMatrix:
    """Rows in the form that XGBoost reads; NaN means missing."""
    return xgboost.DMatrix(features, label=label, weight=weight, feature_names=list(names), nthread=1)


def boost(
    rows: xgboost.DMatrix, margin: Array, rounds: int, settings: BoostingSettings, outputs: int, seed: int
) -> xgboost.Booster:
    """Boost `rounds` rounds, with one tree for each output, from the given margins, shape (rows, outputs)."""
    rows.set_base_margin(margin.ravel())
    return xgboost.train(settings.parameters(outputs, seed, rows.feature_names), rows, num_boost_round=rounds)


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
