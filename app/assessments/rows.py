"""What lists and monitoring need of a result, stored beside it, so that no list reads whole results."""

from typing import Any

from app.assessments.store import Figures
from models.fusion.state import STATES


def priority_of(state: str, score: float | None) -> float:
    """Place of a result among unreviewed ones; the higher, the earlier it should be looked at."""
    rank = STATES.index(state) if state in STATES else len(STATES)
    return 1000.0 * (len(STATES) - rank) + (0.0 if score is None else 1.0 + score)


def parts_of(state: str, score: float | None, result: dict[str, Any], age_days: int | None) -> dict[str, Any]:
    """Columns of an assessment that repeat parts of its result."""
    return {
        "state": state,
        "score": score,
        "priority": priority_of(state, score),
        "row": row_of(result, age_days),
        "figures": Figures(values=figures_of(result)),
        "result": result,
    }


def row_of(result: dict[str, Any], age_days: int | None) -> dict[str, Any]:
    """What a row of a list shows."""
    reasons = result.get("state_reasons") or result.get("missing") or []
    growth = result["growth"]
    shown = {name: growth[name] for name in ("probability", "refusal", "verdict") if name in growth}
    return {
        "why": reasons[0] if reasons else "",
        "age_days": age_days,
        "distress": {name: result["distress"][name] for name in ("probability", "refusal")},
        "growth": shown | {"findings": [{"name": found["name"]} for found in growth.get("findings", [])[:1]]},
    }


def figures_of(result: dict[str, Any]) -> dict[str, Any]:
    """What monitoring counts."""
    distress, growth = result["distress"], result["growth"]
    sizes = (growth["detail"].get("growth") or {}).get("sizes") or []
    return {
        "ctg_refusal": distress["refusal"],
        "distress": distress["probability"],
        "event": distress.get("event"),
        "model": distress["detail"].get("model"),
        "features": _rounded(distress["detail"].get("features")),
        "scan_refusal": growth["refusal"],
        "z_score": sizes[0]["z_score"] if sizes else None,
        "prior": result.get("circumstances", {}).get("prior", {}).get("value"),
    }


def _rounded(features: dict[str, Any] | None) -> dict[str, Any] | None:
    """Seven digits are enough to count by tenths of the training data, and are read in half the time."""
    if features is None:
        return None
    return {name: float(f"{value:.7g}") if isinstance(value, float) else value for name, value in features.items()}
