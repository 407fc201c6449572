"""What the shared network learns from: rows of one modality, with the tasks that they have labels for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.ctg.features import DESIGN_NAMES
from models.ctg.trace_features import TRACE_FEATURE_NAMES

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Modality = Literal["table", "trace", "scan"]
Task = Literal["state", "acidaemia", "growth"]

SCAN_NAMES = (
    "log_head_circumference",
    "log_biparietal_diameter",
    "log_occipitofrontal_diameter",
    "cephalic_index",
    "age_weeks",
)
COLUMNS: dict[Modality, tuple[str, ...]] = {"table": DESIGN_NAMES, "trace": TRACE_FEATURE_NAMES, "scan": SCAN_NAMES}
CLASSES: dict[Task, int] = {"state": 3, "acidaemia": 2, "growth": 3}
TASKS: dict[Modality, tuple[Task, ...]] = {"table": ("state",), "trace": ("acidaemia", "growth"), "scan": ("growth",)}
UNKNOWN = -1


@dataclass(frozen=True)
class Examples:
    """Rows of one modality.

    Attributes
    ----------
    modality : {"table", "trace", "scan"}
        SisPorto table, raw labour trace, scan of the head.
    features : ndarray, shape (n, len(COLUMNS[modality]))
        NaN where not measured.
    labels : mapping of task to ndarray of int64, shape (n,)
        `UNKNOWN` where there is none.
    weight : ndarray, shape (n,)
        In the loss.
    group : ndarray of str, shape (n,)
        Woman, record or examination.
    stratum : ndarray of int64, shape (n,)
        Cell of the growth z-score (`models.representation.growth_class`), or `UNKNOWN`.
    """

    modality: Modality
    features: Array
    labels: Mapping[Task, Labels]
    weight: Array
    group: NDArray[np.str_]
    stratum: Labels

    def __len__(self) -> int:
        return len(self.group)

    def select(self, rows: NDArray[np.int64]) -> "Examples":
        """The given rows."""
        labels = {task: label[rows] for task, label in self.labels.items()}
        return Examples(
            self.modality, self.features[rows], labels, self.weight[rows], self.group[rows], self.stratum[rows]
        )
