"""The tasks of the trees, pattern, acidaemia and panel grader: from a site's data to learners and targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated.plan import CtgPlan, GraderPlan, TreePlan
from federated.trees.site import Groups, Labels, Learner, SiteRows
from models.ctg.acidaemia import PH_THRESHOLDS, TARGETS, low_ph
from models.ctg.features import DESIGN_NAMES, FEATURE_NAMES
from models.ctg.grader import READINGS
from models.ctg.pattern import STATES, VIEWS, View, seen_by, training_weights, without_contractions
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.datasets.uci_ctg import CtgTable

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TreeTask:
    """What is the same at server and sites before a tree is grown.

    Attributes
    ----------
    targets : dict of str to tuple of str
        The learners of each target; a target is a quantity that is calibrated.
    learners : tuple of str
        Names of the learners, in order.
    outputs, classes : int
        Number of outputs of every learner, and of classes of every target.
    columns, features : tuple of str
        Inputs of the trees, and the measured features from which they are computed.
    """

    targets: dict[str, tuple[str, ...]]
    learners: tuple[str, ...]
    outputs: int
    classes: int
    columns: tuple[str, ...]
    features: tuple[str, ...]


THRESHOLD_MODELS = {ph_threshold: f"{ph_threshold:.2f}" for ph_threshold in PH_THRESHOLDS}
PATTERN = TreeTask({view: (view,) for view in VIEWS}, VIEWS, len(STATES), len(STATES), DESIGN_NAMES, FEATURE_NAMES)
ACIDAEMIA = TreeTask(
    {target.name: tuple(THRESHOLD_MODELS[threshold] for threshold in target.model_thresholds) for target in TARGETS},
    tuple(THRESHOLD_MODELS.values()),
    1,
    2,
    TRACE_FEATURE_NAMES,
    TRACE_FEATURE_NAMES,
)


PANEL = "panel"
GRADER = TreeTask({PANEL: (PANEL,)}, (PANEL,), len(READINGS), len(READINGS), TRACE_FEATURE_NAMES, TRACE_FEATURE_NAMES)


def task_of(plan: TreePlan) -> TreeTask:
    """The task of a section of a plan."""
    if isinstance(plan, GraderPlan):
        return GRADER
    return PATTERN if isinstance(plan, CtgPlan) else ACIDAEMIA


def pattern_rows(table: CtgTable, plan: CtgPlan, views: Sequence[View] = VIEWS) -> SiteRows:
    """Prepare UCI rows; the trace view uses each row twice, with and without contractions."""
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


def acidaemia_rows(names: Groups, ph: Array, features: Array) -> SiteRows:
    """Prepare the CTU-UHB records that can be assessed, with a learner for each threshold model."""
    assessed = np.flatnonzero(np.isfinite(features).any(axis=1))
    ph, features = ph[assessed], features[assessed]
    index, weight = np.arange(len(assessed)), np.ones(len(assessed))
    learners = tuple(
        Learner(name, 1, TRACE_FEATURE_NAMES, features, low_ph(ph, ph_threshold), weight, index, features)
        for ph_threshold, name in THRESHOLD_MODELS.items()
    )
    targets = {t.name: (ACIDAEMIA.targets[t.name], low_ph(ph, t.threshold)) for t in TARGETS}
    stratum = np.sum([label for _, label in targets.values()], axis=0)
    return SiteRows(learners, targets, names[assessed], stratum, features)


def grader_rows(woman: Groups, reading: Labels, features: Array, plan: GraderPlan) -> SiteRows:
    """Prepare the windows that a panel has read; women count alike, however many windows they have."""
    weight = training_weights(reading, woman, plan.class_weights)
    learner = Learner(
        PANEL, len(READINGS), TRACE_FEATURE_NAMES, features, reading, weight, np.arange(len(reading)), features
    )
    return SiteRows((learner,), {PANEL: (GRADER.targets[PANEL], reading)}, woman, reading, features)
