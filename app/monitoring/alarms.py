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
    """One a distribution."""
    return [
        Alarm(
            f"drift of {drift.what}"[:120],
            f"{drift.what} differs from the training data: stability index {drift.psi:.2f} over {drift.rows} rows "
            f"(limit {max(PSI_ALARM, drift.psi_noise):.2f}).",
        )
        for drift in drifts
        if drift.alarm
    ]


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
