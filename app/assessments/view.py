"""What the result page shows, prepared for the template."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.assessments.drawing import growth_svg, lead_time_svg
from app.assessments.service import DISAGREE_REASONS, recording_of
from app.assessments.store import Assessment, of_woman, superseded_by
from models.ctg.analysis import analyse
from models.ctg.features import DESIGN
from models.ctg.strip import strip_svg
from models.ctg.trace_features import TRACE_FEATURES
from models.errors import InputError

SHAPES = {"high": "▲", "raised": "◆", "low": "●", "cannot assess": "▨"}


def summary(ctg: dict[str, Any]) -> str:
    """The trace in one sentence, before the picture."""
    if ctg.get("baseline_bpm") is None:
        return f"Signal loss {ctg.get('signal_loss', 1):.0%}."
    variability = ctg.get("variability_bpm")
    count = len(ctg["contractions"]) if ctg.get("contractions") is not None else None
    parts = [
        f"Baseline {ctg['baseline_bpm']:.0f} bpm",
        f"variability {variability:.0f} bpm" if variability is not None else "variability not measurable",
        *([f"short-term variation {stv:.1f} ms"] if (stv := ctg.get("short_term_variation_ms")) else []),
        _count(len(ctg["accelerations"]), "acceleration"),
        _count(len(ctg["decelerations"]), "deceleration")
        + (f" ({ctg['prolonged_decelerations']} over 3 min)" if ctg["prolonged_decelerations"] else ""),
        _count(count, "contraction") if count is not None else "no tocogram",
        *(["tachysystole"] if ctg.get("tachysystole") else []),
        *(["sinusoidal rhythm"] if ctg.get("sinusoidal") else []),
        f"signal loss {ctg['signal_loss']:.0%}",
    ]
    return ", ".join(parts) + "."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def events(ctg: dict[str, Any]) -> list[dict[str, Any]]:
    """All events in order of time, for the table view."""
    rows = []
    for kind in ("accelerations", "decelerations", "contractions"):
        for event in ctg.get(kind) or []:
            name = f"{event.get('kind', '')} {kind[:-1]}".strip()
            rows.append({**event, "kind": name, "duration_s": event["end_s"] - event["start_s"]})
    return sorted(rows, key=lambda row: row["start_s"])


def visits(session: Session, assessment: Assessment) -> list[tuple[float, float, bool]]:
    """Head circumference of every visit of this fetus, once a scan."""
    points: dict[int, tuple[float, float, bool]] = {}
    for other in of_woman(session, assessment.woman):
        detail = other.result["growth"]["detail"]
        age = other.scan.gestational_age_days if other.scan else None
        if age is None or other.fetus_id != assessment.fetus_id:
            continue
        measured = detail.get("head_circumference_mm")
        current = other.id == assessment.id
        if measured and other.scan_id and (current or superseded_by(session, other) is None):
            points[other.scan_id] = (age / 7.0, detail["head_circumference_mm"], current)
    return sorted(points.values(), key=lambda point: point[2])


def context(session: Session, assessment: Assessment) -> dict[str, Any]:
    """Everything the template needs."""
    result = assessment.result
    trace = None
    try:
        recording = recording_of(assessment.ctg)
        if recording is not None:
            trace = strip_svg(recording, analyse(recording))
    except InputError:  # stored before a reader became stricter; the numbers stay
        pass
    points = visits(session, assessment)
    return {
        "assessment": assessment,
        "result": result,
        "shape": SHAPES[assessment.state],
        "trace": trace,
        "trace_summary": summary(result["distress"]["detail"]) if assessment.ctg and assessment.ctg.files else None,
        "trace_events": events(result["distress"]["detail"]),
        "features": _features(result["distress"]["detail"]),
        "chart": growth_svg(points) if points else None,
        "lead_time": _lead_time(result["distress"]["detail"]),
        "bars": bars(result["reasons"]),
        "disagree_reasons": DISAGREE_REASONS,
        "replaced_by": superseded_by(session, assessment),
        "replaces": session.get(Assessment, assessment.supersedes_id) if assessment.supersedes_id else None,
    }


def _features(detail: dict[str, Any]) -> list[dict[str, Any]]:
    given = detail.get("features", {})
    contributions = detail.get("contributions", {})
    return [
        {"label": f.label, "name": f.name, "value": given[f.name], "log_odds": contributions.get(f.name, 0.0)}
        for f in (*DESIGN, *TRACE_FEATURES)
        if f.name in given
    ]


def _lead_time(detail: dict[str, Any]) -> str | None:
    points = detail.get("lead_time")
    return lead_time_svg(points, tuple(detail["cuts"])) if points else None


def bars(reasons: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Signed bars: x and width in percent of a line whose middle is 50."""
    largest = max([abs(reason["log_odds"]) for reason in reasons] + [0.5])
    made = []
    for reason in reasons:
        width = 48 * abs(reason["log_odds"]) / largest
        raises = reason["log_odds"] > 0
        made.append({**reason, "x": round(50 if raises else 50 - width, 1), "width": round(width, 1), "raises": raises})
    return made
