"""Out-of-fold acidaemia: the recipe over sites and central, by lead time; and what else was tried."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from federated.plan import AcidaemiaBoosting, AcidaemiaPlan, Plan
from federated.sites.births import Births, measured_features
from federated.sites.partition import birth_sites
from federated.trees.rounds import frame_of
from federated.trees.site import TreeSite
from federated.trees.tasks import acidaemia_rows
from models.ctg.acidaemia import LEADS_MIN, TARGETS, AcidaemiaModel
from models.ctg.boosting import booster_from
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.datasets import ctu_uhb
from studies.in_process import train_sites
from studies.resume import FOLDS, SEEDS, Rows, resume

Array = NDArray[np.float64]
CHOICE_SEEDS = 3


@dataclass(frozen=True)
class Fold:
    """Out-of-fold probabilities of one part: targets by name, each of shape (n,) for every lead."""

    probability: dict[str, dict[int, Array]]
    fold_of: NDArray[np.int64]


def out_of_fold(
    births: Births, leads: dict[int, Array], plan: AcidaemiaPlan, training: str, seed: int, base_seed: int
) -> Fold:
    """Train on four fifths of the records, predict the rest; a trace that cannot be assessed gets the prior."""
    count = len(births.names)
    probability = {target.name: {lead: np.zeros(count) for lead in leads} for target in TARGETS}
    fold_of = np.zeros(count, dtype=np.int64)
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (train, test) in enumerate(split.split(births.features, births.labels)):
        inside = births.rows(train)
        site_of = np.zeros(len(train), dtype=np.int64)
        if training == "central":
            plan = plan.without_suppression()
        else:
            site_of = birth_sites(inside.names, inside.labels, plan, base_seed + seed * 10 + fold)
        sites = []
        for k in np.unique(site_of):
            own = inside.rows(np.flatnonzero(site_of == k))
            rows = acidaemia_rows(own.names, own.ph, own.features)
            sites.append(TreeSite(f"site-{k + 1}", rows, plan, seed=base_seed + seed))
        for name, (document, calibration) in train_sites(sites, plan, frame_of(plan)).items():
            model = AcidaemiaModel(booster_from(document), calibration)
            for lead, features in leads.items():
                probability[name][lead][test] = model.probabilities_or_prior(features[test])
        fold_of[test] = fold
    return Fold(probability, fold_of)


def study(where: Path, plan: Plan, output: Path, wanted: list[str]) -> None:
    """Write one row a record, training and seed to ``ctu_uhb.csv``, with a column a target and lead time."""
    section = plan.acidaemia or AcidaemiaPlan()
    records = ctu_uhb.read(where)
    leads = {lead: measured_features(records, lead) for lead in LEADS_MIN}
    births = Births.of(records, leads[0])

    def make(part: str) -> Rows:
        training, seed = part.split("/")
        fold = out_of_fold(births, leads, section, training, int(seed), plan.seed)
        return [
            {
                "part": part,
                "record": births.names[row],
                "fold": fold.fold_of[row],
                "ph": births.ph[row],
                **{f"assessed_{lead}": int(np.isfinite(leads[lead][row]).any()) for lead in LEADS_MIN},
                **{
                    f"{name}_{lead}": round(float(values[lead][row]), 5)
                    for name, values in fold.probability.items()
                    for lead in LEADS_MIN
                },
            }
            for row in range(len(records))
        ]

    parts = [f"{training}/{seed}" for seed in range(SEEDS) for training in ("dirichlet", "central")]
    resume(output / "ctu_uhb.csv", "part", wanted or parts, make)


def _columns(wanted: Callable[[str], bool]) -> NDArray[np.bool_]:
    return np.array([wanted(name) for name in TRACE_FEATURE_NAMES])


VARIABILITY = ("bandwidth", "epoch", "poincare", "roughness", "capacity")
EVENTS = ("decelerations_per", "accelerations_per", "_deceleration_", "acceleration_area", "share_15")
FREE: dict[str, Any] = {"rises_with": (), "falls_with": ()}
# The first is shipped. The others are variants of the recipe before it had constraints.
CHOICES: dict[str, tuple[dict[str, Any], NDArray[np.bool_]]] = {
    "shipped": ({}, _columns(lambda name: True)),
    "without constraints": (FREE, _columns(lambda name: True)),
    "only the last 30 min": (FREE, _columns(lambda name: name.endswith("_30_min"))),
    "without the last 10 min as a window": (FREE, _columns(lambda name: not name.endswith("_10_min"))),
    "without variability": (FREE, _columns(lambda name: not any(word in name for word in VARIABILITY))),
    "without decelerations and accelerations": (FREE, _columns(lambda name: not any(word in name for word in EVENTS))),
    "without contractions": (FREE, _columns(lambda name: "contractions" not in name)),
    "deeper trees (4)": ({**FREE, "max_depth": 4}, _columns(lambda name: True)),
    "stumps": ({**FREE, "max_depth": 1}, _columns(lambda name: True)),
}  # fmt: skip


def choices(where: Path, plan: Plan, output: Path, wanted: list[str]) -> None:
    """Central variants of the recipe, three seeds, to ``ctu_uhb_choices.csv``: what helps and what does not."""
    section = plan.acidaemia or AcidaemiaPlan()
    records = ctu_uhb.read(where)
    features = measured_features(records)
    assessed = np.isfinite(features).any(axis=1)

    def make(part: str) -> Rows:
        name, seed = part.rsplit("/", 1)
        changes, columns = CHOICES[name]
        boosting = AcidaemiaBoosting(**{**section.boosting.model_dump(), **changes})
        varied = section.model_copy(update={"boosting": boosting, "calibration_folds": 2})
        births = Births.of(records, np.where(columns, features, np.nan))
        # A column that is missing everywhere is never split on; rows are kept by the whole vector.
        births.features[assessed & np.isnan(births.features).all(axis=1)] = 0.0
        fold = out_of_fold(births, {0: births.features}, varied, "central", int(seed), plan.seed)
        return [
            {
                "part": part,
                "record": births.names[row],
                "fold": fold.fold_of[row],
                "ph": births.ph[row],
                **{target: round(float(values[0][row]), 5) for target, values in fold.probability.items()},
            }
            for row in range(len(records))
        ]

    parts = [f"{name}/{seed}" for seed in range(CHOICE_SEEDS) for name in CHOICES]
    resume(output / "ctu_uhb_choices.csv", "part", wanted or parts, make)
