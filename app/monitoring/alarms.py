"""Thresholds: what raises a notice."""

from dataclasses import dataclass
from typing import Any

from app.monitoring.drift import LEAST, Drift
from models.drift import PSI_ALARM

MAX_REFUSED = 0.20
MAX_MISSING = 0.50


@dataclass(frozen=True)
class Alarm:
    """A threshold that was passed: a stable name, and words."""

    what: str
    text: str


def of_rates(rates: dict[str, Any]) -> list[Alarm]:
    """Too much is refused, or comes without a CTG."""
    made = []
    for kind, words in (("ctg", "CTGs"), ("scan", "scans")):
        refused, given = rates[f"{kind}_refused"], rates[f"{kind}_given"]
        if given >= LEAST and refused > MAX_REFUSED:
            made.append(
                Alarm(
                    f"refused {words}",
                    f"{100 * refused:.0f} of 100 {words} could not be assessed (limit {100 * MAX_REFUSED:.0f}).",
                )
            )
    total = sum(rates["states"].values())
    if total >= LEAST and rates["ctg_missing"] > MAX_MISSING and rates["scan_missing"] < MAX_MISSING:
        made.append(Alarm("missing CTGs", f"{100 * rates['ctg_missing']:.0f} of 100 assessments come without a CTG."))
    return made


def of_drift(drifts: list[Drift]) -> list[Alarm]:
    """One a kind: many features move together."""
    made = []
    for kind in dict.fromkeys(drift.kind for drift in drifts):
        of_kind = [drift for drift in drifts if drift.kind == kind]
        moved = sorted((drift for drift in of_kind if drift.alarm), key=lambda drift: -drift.psi)
        if moved:
            worst = moved[0]
            text = f"{len(moved)} of {len(of_kind)} {kind} differ from the training data, most of all {worst.what}: "
            text += f"stability index {worst.psi:.2f} over {worst.rows} rows "
            made.append(Alarm(f"drift of {kind}", text + f"(limit {max(PSI_ALARM, worst.psi_noise):.2f})."))
    return made


def of_outcomes(outcomes: dict[str, Any]) -> list[Alarm]:
    """Fewer or more births had it than the scores promised."""
    if outcomes["births"] < LEAST:
        return []
    low, high = outcomes["expected_interval"]
    if low <= outcomes["events"] <= high:
        return []
    where = "fewer" if outcomes["events"] < low else "more"
    return [
        Alarm(
            "calibration",
            f"{outcomes['events']} of {outcomes['births']} births had it, {where} than the {low:.0f} to {high:.0f} "
            "that the scores promised: set the prior of this unit, or retrain.",
        )
    ]
