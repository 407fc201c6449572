"""Settings of gradient boosting, apart from the library so that a plan is read without importing XGBoost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.errors import InputError


@dataclass(frozen=True)
class BoostingSettings:
    """Hyper-parameters of the trees, the same at every site.

    `rises_with` and `falls_with` are names of measures, taken over every time window: the margin of a model with one
    output may never fall (or rise) when one of them alone increases.
    """

    learning_rate: float = 0.1
    max_depth: int = 4
    min_child_weight: float = 2.0
    reg_lambda: float = 2.0
    subsample: float = 0.8
    colsample_bynode: float = 0.4
    rises_with: tuple[str, ...] = ()
    falls_with: tuple[str, ...] = ()

    def directions(self, columns: Sequence[str]) -> tuple[int, ...]:
        """For each column 1 (rises with it), -1 (falls with it) or 0 (free).

        Raises
        ------
        InputError
            No column carries one of the names.
        """
        directions = dict.fromkeys(columns, 0)
        for direction, names in ((1, self.rises_with), (-1, self.falls_with)):
            for name in names:
                matching = [column for column in columns if column == name or column.startswith(f"{name}_last_")]
                if not matching:
                    raise InputError(f"rises_with, falls_with: there is no measure called {name}")
                directions |= dict.fromkeys(matching, direction)
        return tuple(directions.values())

    def parameters(self, outputs: int, seed: int, columns: Sequence[str]) -> dict[str, Any]:
        """XGBoost parameters for a model with this many outputs over these columns."""
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
            "monotone_constraints": str(self.directions(columns)),
            "nthread": 1,
            "seed": seed,
            "verbosity": 0,
        }
