"""The two things that trees are trained for, pattern and acidaemia: from a site's data to learners and targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated.plan import CtgPlan, TreePlan
from federated.trees.site import Groups, Labels, Learner, SiteRows
from models.ctg.acidaemia import PH_THRESHOLDS, TARGETS, low_ph
from models.ctg.analysis import analyse
from models.ctg.features import DESIGN_NAMES, FEATURE_NAMES
from models.ctg.pattern import STATES, VIEWS, View, seen_by, training_weights, without_contractions
from models.ctg.trace_features import TRACE_FEATURE_NAMES, trace_features
from models.datasets.ctu_uhb import BirthRecord
from models.datasets.uci_ctg import CtgTable

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TreeTask:
    """What server and sites agree on before a tree is grown.

    Attributes
    ----------
    targets : dict of str to tuple of str
        The learners behind each thing that is calibrated.
    learners : tuple of str
        In their order.
    outputs, classes : int
        Of every learner, and of every target.
    columns, features : tuple of str
        What the trees see, and what a row states (of which the former is made).
    """

    targets: dict[str, tuple[str, ...]]
    learners: tuple[str, ...]
    outputs: int
    classes: int
    columns: tuple[str, ...]
    features: tuple[str, ...]


RUNG_NAMES = {rung: f"{rung:.2f}" for rung in PH_THRESHOLDS}
PATTERN = TreeTask({view: (view,) for view in VIEWS}, VIEWS, len(STATES), len(STATES), DESIGN_NAMES, FEATURE_NAMES)
ACIDAEMIA = TreeTask(
    {target.name: tuple(RUNG_NAMES[rung] for rung in target.model_thresholds) for target in TARGETS},
    tuple(RUNG_NAMES.values()),
    1,
    2,
    TRACE_FEATURE_NAMES,
    TRACE_FEATURE_NAMES,
)


def task_of(plan: TreePlan) -> TreeTask:
    """The task of a section of a plan."""
    return PATTERN if isinstance(plan, CtgPlan) else ACIDAEMIA


def pattern_rows(table: CtgTable, plan: CtgPlan, views: Sequence[View] = VIEWS) -> SiteRows:
    """UCI rows; the trace view shows each of them with and without contractions."""
    weight = training_weights(table.state, table.woman, plan.class_weights)
    index = np.arange(len(table))
    learners = []
    for view in views:
        scored = seen_by(view, table.features)
        features, rows, weights = scored, index, weight
        if view == "trace":
            features = np.vstack([scored, seen_by(view, without_contractions(table.features))])
            rows, weights = np.tile(index, 2), np.tile(0.5 * weight, 2)
        learners.append(Learner(view, len(STATES), DESIGN_NAMES, features, table.state[rows], weights, rows, scored))
    targets: dict[str, tuple[tuple[str, ...], Labels]] = {view: ((view,), table.state) for view in views}
    return SiteRows(tuple(learners), targets, table.woman, table.state, table.features)


def measured(records: Sequence[BirthRecord], hidden_min: int = 0) -> Array:
    """Trace features with the last minutes hidden, shape (n, 75); missing where a trace cannot be assessed."""
    cut = [record.recording.part(0.0, record.recording.duration_s - 60.0 * hidden_min) for record in records]
    return np.array([trace_features(analyse(one)) for one in cut])


def acidaemia_rows(names: Groups, ph: Array, features: Array) -> SiteRows:
    """CTU-UHB records that can be assessed, with a learner a rung."""
    kept = np.flatnonzero(np.isfinite(features).any(axis=1))
    ph, features = ph[kept], features[kept]
    index, weight = np.arange(len(kept)), np.ones(len(kept))
    learners = tuple(
        Learner(name, 1, TRACE_FEATURE_NAMES, features, low_ph(ph, rung), weight, index, features)
        for rung, name in RUNG_NAMES.items()
    )
    targets = {t.name: (ACIDAEMIA.targets[t.name], low_ph(ph, t.threshold)) for t in TARGETS}
    stratum = np.sum([label for _, label in targets.values()], axis=0)
    return SiteRows(learners, targets, names[kept], stratum, features)
