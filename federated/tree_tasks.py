"""The two things that trees are trained for, pattern and acidaemia: from a site's data to learners and targets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.plan import AcidaemiaPlan, CtgPlan
from federated.tree_site import Groups, Labels, Learner, SiteRows
from models.ctg.acidaemia import RUNGS, TARGETS, low_ph
from models.ctg.analysis import analyse
from models.ctg.features import DESIGN_NAMES
from models.ctg.pattern import STATES, VIEWS, View, seen_by, training_weights, without_contractions
from models.ctg.trace_features import TRACE_FEATURE_NAMES, trace_features
from models.datasets.ctu_uhb import BirthRecord
from models.datasets.uci_ctg import CtgTable

Array = NDArray[np.float64]


def learner_names(plan: CtgPlan | AcidaemiaPlan) -> tuple[str, ...]:
    """What a task's learners are called, in their order."""
    return VIEWS if isinstance(plan, CtgPlan) else tuple(f"{rung:.2f}" for rung in RUNGS)


def target_learners(plan: CtgPlan | AcidaemiaPlan) -> dict[str, tuple[str, ...]]:
    """The learners behind each thing that is calibrated."""
    if isinstance(plan, CtgPlan):
        return {view: (view,) for view in VIEWS}
    return {target.name: tuple(f"{rung:.2f}" for rung in target.rungs) for target in TARGETS}


def classes(plan: CtgPlan | AcidaemiaPlan) -> int:
    """Classes of every target."""
    return len(STATES) if isinstance(plan, CtgPlan) else 2


def columns(plan: CtgPlan | AcidaemiaPlan) -> tuple[str, ...]:
    """Names of the columns that the trees see."""
    return DESIGN_NAMES if isinstance(plan, CtgPlan) else TRACE_FEATURE_NAMES


def outputs(plan: CtgPlan | AcidaemiaPlan) -> int:
    """Outputs of every learner."""
    return len(STATES) if isinstance(plan, CtgPlan) else 1


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


def measured(records: Sequence[BirthRecord]) -> Array:
    """The trace features of each record, shape (n, 75); missing where the trace cannot be assessed."""
    return np.array([trace_features(analyse(record.recording)) for record in records])


def acidaemia_rows(names: Groups, ph: Array, features: Array, plan: AcidaemiaPlan) -> SiteRows:
    """CTU-UHB records that can be assessed, with a learner a rung."""
    kept = np.flatnonzero(np.isfinite(features).any(axis=1))
    ph, features = ph[kept], features[kept]
    index, weight = np.arange(len(kept)), np.ones(len(kept))
    learners = tuple(
        Learner(name, 1, TRACE_FEATURE_NAMES, features, low_ph(ph, rung), weight, index, features)
        for name, rung in zip(learner_names(plan), RUNGS, strict=True)
    )
    targets = {t.name: (target_learners(plan)[t.name], low_ph(ph, t.threshold)) for t in TARGETS}
    stratum = np.sum([label for _, label in targets.values()], axis=0)
    return SiteRows(learners, targets, names[kept], stratum, features)
