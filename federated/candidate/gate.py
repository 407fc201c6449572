"""The gate: a candidate may not be worse than the bundle in service by more than the plan allows.

Both bundles are judged by the figures in their manifests, which come from out-of-fold rows: women and records (CTG) and
examinations (ultrasound; the folds are the same in every training). A site is compared with itself where both manifests
name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from federated.candidate.site_calibration import worst
from federated.plan import GatePlan

NO_WORSE_Z = 1.0
TARGETS = {"ctg": ("table", "trace"), "acidaemia": ("ph_le_7_15", "ph_lt_7_05"), "grader": ("panel",)}


@dataclass(frozen=True)
class Verdict:
    """One comparison of the gate."""

    what: str
    candidate: float
    incumbent: float
    allowed: float
    passed: bool

    def words(self) -> str:
        """The comparison as one sentence, for terminal and page."""
        sign = "passed" if self.passed else "FAILED"
        return f"{self.what}: {self.candidate:g} against {self.incumbent:g} (may be worse by {self.allowed:g}) {sign}"


def against_own_models(candidate: Mapping[str, Any]) -> list[Verdict]:
    """For each site and model: its log-loss compared with that of the model that the site would have trained alone.

    A comparison fails if the whole 95 % interval of the difference is above zero.
    """
    verdicts = []
    for sites in candidate["sites"].values():
        for name, figures in sites.items():
            for key, comparison in figures.items():
                if key.startswith("against_local_"):
                    what = f"log-loss against its own model, {key.removeprefix('against_local_')}, {name}"
                    low = comparison["ci95"][0]
                    verdicts.append(
                        Verdict(what, comparison["difference"], 0.0, comparison["difference"] - low, low <= 0)
                    )
    return verdicts


def calibration_at_worst_sites(
    candidate: Mapping[str, Any], incumbent: Mapping[str, Any], gate: GatePlan
) -> list[Verdict]:
    """For each model: the site whose number of events differs most from the expected number, in standard errors.

    A comparison fails beyond the plan's limit, unless the bundle in service differs as much at its own worst site.
    """
    verdicts = []
    for modality, targets in TARGETS.items():
        for target in targets:
            if now := worst(candidate["sites"].get(modality, {}), target):
                site, z = now
                what = f"calibration of {target} at its worst site ({site}), standard errors from the events expected"
                earlier = worst(incumbent["sites"].get(modality, {}), target)
                before = earlier[1] if earlier else 0.0
                allowed = round(max(gate.max_site_calibration_z - before, NO_WORSE_Z), 2)
                verdicts.append(Verdict(what, z, before, allowed, z - before <= allowed))
    return verdicts


def judge(candidate: Mapping[str, Any], incumbent: Mapping[str, Any], gate: GatePlan) -> list[Verdict]:
    """Compare two manifests; an empty list means that there was nothing to compare."""
    verdicts = against_own_models(candidate) if gate.never_worse_than_local else []
    verdicts += calibration_at_worst_sites(candidate, incumbent, gate)
    if candidate.get("synthetic", False) != incumbent.get("synthetic", False):
        # The figures are not comparable. Only a change from synthetic data to data of people is accepted.
        if incumbent.get("synthetic", False):
            return verdicts
        return [Verdict("trained on people (1) or on synthetic data (0)", 0, 1, 0, False)]
    specifications = (
        ("ctg", "macro_f1_table", +1, gate.max_macro_f1_loss, gate.max_site_macro_f1_loss),
        ("ctg", "macro_f1_trace", +1, gate.max_macro_f1_loss, gate.max_site_macro_f1_loss),
        ("acidaemia", "auc_ph_le_7_15", +1, gate.max_auc_loss, gate.max_auc_loss),
        ("acidaemia", "auc_ph_lt_7_05", +1, gate.max_auc_loss, gate.max_auc_loss),
        ("grader", "macro_f1", +1, gate.max_macro_f1_loss, gate.max_site_macro_f1_loss),
        ("ultrasound", "mae_mm", -1, gate.max_mae_mm_increase, gate.max_site_mae_mm_increase),
    )
    for modality, metric, sign, allowed, site_allowed in specifications:
        if not all(modality in manifest["metrics"] for manifest in (candidate, incumbent)):
            continue
        pairs = [("all sites", candidate["metrics"][modality], incumbent["metrics"][modality], allowed)]
        ours, theirs = candidate["sites"][modality], incumbent["sites"][modality]
        pairs += [(name, ours[name], theirs[name], site_allowed) for name in ours if name in theirs]
        for where, new, old, limit in pairs:
            if new.get(metric) is None or old.get(metric) is None:
                continue
            passed = sign * (old[metric] - new[metric]) <= limit
            verdicts.append(Verdict(f"{metric}, {where}", new[metric], old[metric], limit, passed))
    return verdicts
