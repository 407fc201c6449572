"""From a site's data to the examples of the shared network."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from federated.plan import SharedPlan
from models.ctg.acidaemia import MILD, low_ph
from models.ctg.features import design
from models.ctg.pattern import training_weights
from models.datasets.uci_ctg import CtgTable
from models.growth.measures import BPD, HC, OFD
from models.representation.examples import SCAN_NAMES, Array, Examples
from models.representation.growth_class import constructed_ages, growth_cell, growth_class

Measures = Mapping[str, float]


def table_examples(table: CtgTable, plan: SharedPlan) -> Examples:
    """SisPorto rows with the experts' state, weighed as the trees weigh them."""
    weight = training_weights(table.state, table.woman, plan.class_weights)
    unknown = np.full(len(table), -1, dtype=np.int64)
    return Examples("table", design(table.features), {"state": table.state}, weight, table.woman, unknown)


def trace_examples(names: NDArray[np.str_], ph: Array, features: Array, birth_z: Array) -> Examples:
    """Labour records that can be assessed, with the pH and the size at birth."""
    kept = np.flatnonzero(np.isfinite(features).any(axis=1))
    labels = {"acidaemia": low_ph(ph, MILD.threshold)[kept], "growth": growth_class(birth_z)[kept]}
    return Examples(
        "trace",
        features[kept],
        {"acidaemia": labels["acidaemia"], "growth": labels["growth"]},
        np.ones(len(kept)),
        names[kept],
        growth_cell(birth_z)[kept],
    )


def scan_examples(
    names: Sequence[str], examinations: Sequence[str], reference_mm: Array, measured: Mapping[str, Measures]
) -> Examples:
    """Heads as the network measured them, at a constructed age, with the size for that age that follows.

    Parameters
    ----------
    names, examinations : sequence of str, length n
    reference_mm : ndarray, shape (n,)
        Annotated circumference, from which the age is constructed; it is no feature.
    measured : mapping of image name to measures, mm
        Images without a measured head, and heads off the standard, are left out.
    """
    z, days = constructed_ages(examinations, reference_mm)
    kept = [row for row, name in enumerate(names) if np.isfinite(z[row]) and name in measured]
    features = np.array([_scan_row(measured[names[row]], days[row]) for row in kept]).reshape(
        len(kept), len(SCAN_NAMES)
    )
    groups = np.array([examinations[row] for row in kept], dtype=np.str_)
    return Examples(
        "scan", features, {"growth": growth_class(z[kept])}, np.ones(len(kept)), groups, growth_cell(z[kept])
    )


def _scan_row(measures: Measures, days: float) -> list[float]:
    hc, bpd, ofd = (float(measures[name]) for name in (HC, BPD, OFD))
    return [np.log(hc), np.log(bpd), np.log(ofd), bpd / ofd, days / 7.0]
