"""Settings of gradient boosting, apart from the library so that a plan is read without importing XGBoost."""

from dataclasses import dataclass
from typing import Any


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
