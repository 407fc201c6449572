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
    """SisPorto rows with the experts' state, weighted as for the trees."""
    weight = training_weights(table.state, table.woman, plan.class_weights)
    unknown = np.full(len(table), -1, dtype=np.int64)
    return Examples("table", design(table.features), {"state": table.state}, weight, table.woman, unknown)


def trace_examples(names: NDArray[np.str_], ph: Array, features: Array, birth_z: Array) -> Examples:
    """Labour records that can be assessed, labelled by the pH and by the size at birth."""
    used = np.flatnonzero(np.isfinite(features).any(axis=1))
    labels = {"acidaemia": low_ph(ph, MILD.threshold)[used], "growth": growth_class(birth_z)[used]}
    return Examples(
        "trace",
        features[used],
        {"acidaemia": labels["acidaemia"], "growth": labels["growth"]},
        np.ones(len(used)),
        names[used],
        growth_cell(birth_z)[used],
    )


def scan_examples(
    names: Sequence[str], examinations: Sequence[str], reference_mm: Array, measured: Mapping[str, Measures]
) -> Examples:
    """Heads as the network measured them, at a constructed age, labelled by the size for that age.

    Parameters
    ----------
    names, examinations : sequence of str, length n
    reference_mm : ndarray, shape (n,)
        Annotated circumference, from which the age is constructed; it is not used as a feature.
    measured : mapping of image name to measures, mm
        Images without a measured head, and heads outside the growth standard, are left out.
    """
    z, days = constructed_ages(examinations, reference_mm)
    used = [row for row, name in enumerate(names) if np.isfinite(z[row]) and name in measured]
    features = np.array([_scan_row(measured[names[row]], days[row]) for row in used]).reshape(
        len(used), len(SCAN_NAMES)
    )
    groups = np.array([examinations[row] for row in used], dtype=np.str_)
    return Examples(
        "scan", features, {"growth": growth_class(z[used])}, np.ones(len(used)), groups, growth_cell(z[used])
    )


def _scan_row(measures: Measures, days: float) -> list[float]:
    hc, bpd, ofd = (float(measures[name]) for name in (HC, BPD, OFD))
    return [np.log(hc), np.log(bpd), np.log(ofd), bpd / ofd, days / 7.0]
