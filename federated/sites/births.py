"""Labour records of one data set with the features that were measured on their traces."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.ctg.analysis import analyse
from models.ctg.trace_features import trace_features
from models.datasets.ctu_uhb import BirthRecord
from models.growth.birth_weight import birth_weight_z


def measured_features(records: Sequence[BirthRecord], hidden_min: int = 0) -> NDArray[np.float64]:
    """Measure the trace features of labour records.

    Parameters
    ----------
    records : sequence of BirthRecord, length n
    hidden_min : int
        The last minutes of each recording are not used.

    Returns
    -------
    ndarray of float64, shape (n, 75)
        NaN in the rows whose trace cannot be assessed.
    """
    recordings = [record.recording.part(0.0, record.recording.duration_s - 60.0 * hidden_min) for record in records]
    return np.array([trace_features(analyse(recording)) for recording in recordings])


@dataclass(frozen=True)
class Births:
    """Labour records with their measured features.

    Attributes
    ----------
    names : ndarray of str, shape (n,)
    ph : ndarray of float64, shape (n,)
        Umbilical artery pH.
    features : ndarray of float64, shape (n, 75)
    birth_z : ndarray of float64, shape (n,)
        z-score of the birth weight for the gestational age; NaN where it is not known.
    """

    names: NDArray[np.str_]
    ph: NDArray[np.float64]
    features: NDArray[np.float64]
    birth_z: NDArray[np.float64]

    @classmethod
    def of(cls, records: Sequence[BirthRecord], features: NDArray[np.float64]) -> "Births":
        """Combine records with the features that were measured on them."""
        weight = np.array([record.birth_weight_g for record in records])
        weeks = np.array([record.completed_weeks for record in records])
        names, ph = np.array([record.name for record in records]), np.array([record.ph for record in records])
        return cls(names, ph, features, birth_weight_z(weight, weeks))

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each record: 0 above pH 7.15, 1 at or below 7.15, 2 below 7.05."""
        return low_ph(self.ph, MILD.threshold) + low_ph(self.ph, SEVERE.threshold)

    def rows(self, index: NDArray[np.int64]) -> "Births":
        """Select the given records."""
        return Births(self.names[index], self.ph[index], self.features[index], self.birth_z[index])
