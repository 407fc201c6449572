"""Births with a trace, a weight and a pH: the real pairs on which the fused score is evaluated.

The size is the size at birth, not one measured by a scan, and the hospital selected these labours. This is not a
validation on women with both examinations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.datasets.ctu_uhb import BirthRecord
from models.evaluation.decisions import THRESHOLDS, net_benefit_difference
from models.evaluation.metrics import auc, bootstrap, expected_calibration_error
from models.evaluation.outcome import calibration_line, ece_limit
from models.fusion.conformal import Quantiles
from models.fusion.held_out_births import PairedFusion, fused
from models.growth.birth_weight import birth_weight_z

Array = NDArray[np.float64]
Event = NDArray[np.bool_]
MARGIN_AT = 0.10


@dataclass(frozen=True)
class Fused:
    """Fused probabilities of both events, and those of the CTG alone, each of shape (n,)."""

    mild: Array
    severe: Array
    ctg_mild: Array
    ctg_severe: Array


def birth_sizes(records: Sequence[BirthRecord]) -> Array:
    """z-score of each birth weight, shape (n,); NaN where it is not known."""
    weight = np.array([record.birth_weight_g for record in records])
    return birth_weight_z(weight, np.array([record.completed_weeks for record in records]))


def fuse_births(fusion: PairedFusion, prior: float, mild: Array, severe: Array, z: Array) -> Fused:
    """Fuse the distress and the size of each birth. The severe event is never more probable than the milder one."""
    terms = fusion.sizes.terms(z)
    both = fused(fusion.rule, prior, mild, terms)
    return Fused(both, np.minimum(fused(fusion.rule, prior, severe, terms), both), mild, severe)


def covered(quantiles: Quantiles, probability: Array, event: Event) -> Event:
    """Whether each class-conditional set contains the true outcome."""
    none, some = quantiles.contains(probability)
    return np.where(event, some, none).astype(bool)


def pair_metrics(ph: Array, probabilities: Fused, covers: Event | None, *, draws: int = 500) -> dict[str, Any]:
    """All figures of the fused score; intervals over records, calibration and margins of the milder event."""
    low, lowest = (low_ph(ph, target.threshold).astype(bool) for target in (MILD, SEVERE))
    records = np.arange(len(ph))

    def of(statistic: Any) -> dict[str, Any]:
        return bootstrap(records, statistic, draws=draws)

    def margin(threshold: float) -> dict[str, Any]:
        return net_benefit_difference(low, [probabilities.mild], [probabilities.ctg_mild], threshold, draws=draws)

    report = {
        "auc_ph_lt_7_05": of(lambda r: auc(lowest[r], probabilities.severe[r])),
        "auc_ph_le_7_15": of(lambda r: auc(low[r], probabilities.mild[r])),
        "delta_auc_vs_ctg": of(lambda r: auc(low[r], probabilities.mild[r]) - auc(low[r], probabilities.ctg_mild[r])),
        "delta_auc_vs_ctg_ph_lt_7_05": of(
            lambda r: auc(lowest[r], probabilities.severe[r]) - auc(lowest[r], probabilities.ctg_severe[r])
        ),
        "ece": of(lambda r: expected_calibration_error(low[r], probabilities.mild[r])),
        "ece_limit": ece_limit(probabilities.mild),
        "slope": of(lambda r: calibration_line(low[r], probabilities.mild[r])[1]),
        "intercept": of(lambda r: calibration_line(low[r], probabilities.mild[r])[0]),
        "net_benefit_margin": margin(MARGIN_AT),
        "net_benefit_margins": {f"{100 * at:.0f} %": margin(at) for at in THRESHOLDS},
    }
    if covers is not None:
        report["coverage_90"] = of(lambda r: float(np.mean(covers[r])))
    return report
