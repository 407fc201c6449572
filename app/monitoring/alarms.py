"""Thresholds whose crossing raises a notice."""

from dataclasses import dataclass
from typing import Any

from app.monitoring.drift import LEAST, Drift
from models.drift import PSI_ALARM

MAX_REFUSED = 0.20
MAX_MISSING = 0.50


@dataclass(frozen=True)
class Alarm:
    """A threshold that was crossed: a stable name, and a sentence for the operator."""

    what: str
    text: str


def of_rates(rates: dict[str, Any]) -> list[Alarm]:
    """Alarms for too many examinations that could not be assessed, or too many assessments without a CTG."""
    alarms = []
    for kind, words in (("ctg", "CTGs"), ("scan", "scans")):
        refused, given = rates[f"{kind}_refused"], rates[f"{kind}_given"]
        if given >= LEAST and refused > MAX_REFUSED:
            alarms.append(
                Alarm(
                    f"refused {words}",
                    f"{100 * refused:.0f} % of {words} could not be assessed (limit {100 * MAX_REFUSED:.0f} %).",
                )
            )
    total = sum(rates["states"].values())
    if total >= LEAST and rates["ctg_missing"] > MAX_MISSING and rates["scan_missing"] < MAX_MISSING:
        missing = 100 * rates["ctg_missing"]
        alarms.append(Alarm("missing CTGs", f"{missing:.0f} % of assessments come without a CTG."))
    return alarms


def of_drift(drifts: list[Drift]) -> list[Alarm]:
    """At most one alarm for each kind of measurement, because many features move together."""
    alarms = []
    for kind in dict.fromkeys(drift.kind for drift in drifts):
        of_kind = [drift for drift in drifts if drift.kind == kind]
        moved = sorted((drift for drift in of_kind if drift.alarm), key=lambda drift: -drift.psi)
        if moved:
            worst = moved[0]
            text = f"{len(moved)} of {len(of_kind)} {kind} differ from the training data. "
            text += f"The largest difference is in {worst.what}: stability index {worst.psi:.2f} in {worst.rows} rows "
            alarms.append(Alarm(f"drift of {kind}", text + f"(limit {max(PSI_ALARM, worst.psi_noise):.2f})."))
    return alarms


def of_outcomes(outcomes: dict[str, Any]) -> list[Alarm]:
    """An alarm where fewer or more births had the event than the scores predicted."""
    if outcomes["births"] < LEAST:
        return []
    low, high = outcomes["expected_interval"]
    if low <= outcomes["events"] <= high:
        return []
    where = "fewer" if outcomes["events"] < low else "more"
    return [
        Alarm(
            "calibration",
            f"{outcomes['events']} of {outcomes['births']} births had the event, {where} than the "
            f"{low:.0f} to {high:.0f} that the scores predicted. Set the prior of this hospital, or retrain.",
        )
    ]
