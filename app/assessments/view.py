"""What the result page shows, prepared for the template."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.assessments.drawing import VisitPoint, growth_svg, lead_time_svg
from app.assessments.judgement import judgement
from app.assessments.review import DISAGREE_REASONS
from app.assessments.store import Assessment, of_woman, superseded_by
from app.assessments.traces import marks_of, recording_of
from app.assessments.withdrawal import outdated_ages
from app.monitoring.store import outcome_of
from models.ctg.features import DESIGN
from models.ctg.strip import strip_svg
from models.ctg.summary import contractions_words
from models.ctg.trace_features import TRACE_FEATURES
from models.errors import InputError
from models.growth.biometry_standards import BIOMETRY
from models.growth.measures import EFW, LABELS
from models.growth.standard import Standard
from models.growth.weight import WEIGHT

# Smaller contributions count in the sum but are not drawn.
SHOWN_LOG_ODDS = 0.005
SHAPES = {"high": "▲", "raised": "◆", "undecided": "◇", "cannot assess": "▨", "low": "●"}


def summary(ctg: dict[str, Any]) -> str:
    """The trace in one sentence, shown before the picture."""
    if ctg.get("baseline_bpm") is None:
        return f"Signal loss {ctg.get('signal_loss', 1):.0%}."
    variability = ctg.get("variability_bpm")
    # Earlier versions stored the median of the whole trace and no start.
    start, lost = ctg.get("baseline_at_start_bpm"), (ctg.get("signal_loss_by_ten_minutes") or [0.0])[-1:]
    readable_min = ctg.get("readable_until_s", 0) / 60.0
    until = (
        "in the last ten minutes" if lost[0] <= 0.5 else f"up to minute {readable_min:.0f}, the last that can be read"
    )
    parts = [
        f"Baseline {ctg['baseline_bpm']:.0f} bpm"
        + (f" {until} ({start:.0f} at the start)" if start is not None else ""),
        f"variability {variability:.0f} bpm" if variability is not None else "variability not measurable",
        *([f"short-term variation {stv:.1f} ms"] if (stv := ctg.get("short_term_variation_ms")) else []),
        _count(len(ctg["accelerations"]), "acceleration"),
        _count(len(ctg["decelerations"]), "deceleration")
        + (f" ({ctg['prolonged_decelerations']} over 3 min)" if ctg["prolonged_decelerations"] else ""),
        contractions_words({"contractions_known": 1.0, **ctg}),
        *(["tachysystole"] if ctg.get("tachysystole") else []),
        *(["sinusoidal rhythm"] if ctg.get("sinusoidal") else []),
        f"signal loss {ctg['signal_loss']:.0%}",
    ]
    first = f"{lost[0]:.0%} of the signal at the end is lost. " if lost[0] > 0.5 else ""
    return first + ", ".join(parts) + "."


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


def charts(
    session: Session, assessment: Assessment, visits: Sequence[Assessment] | None = None
) -> list[dict[str, str]]:
    """A growth chart for every measure judged at this visit, with every visit of this fetus on it.

    Parameters
    ----------
    visits : sequence of Assessment or None
        All assessments of the woman, newest first; None: they are read.
    """
    growth = assessment.result["growth"]["detail"].get("growth")
    sizes = sizes_of(growth)
    if not sizes:
        return []
    points: dict[str, dict[int, VisitPoint]] = {}
    visits = of_woman(session, assessment.woman) if visits is None else visits
    replaced = {visit.supersedes_id for visit in visits}
    for other in visits:
        current = other.id == assessment.id
        if other.fetus_id != assessment.fetus_id or other.scan_id is None:
            continue
        if not current and (other.id in replaced or other.withdrawn_at is not None):
            continue
        later = other.result["growth"]["detail"].get("growth")
        for size in sizes_of(later):
            point = VisitPoint(later["age_days"] / 7.0, size["value"], current)
            points.setdefault(size["standard_key"] + size["measure"], {}).setdefault(other.scan_id, point)
    return [
        {
            "label": LABELS[size["measure"]],
            "standard": size["standard"],
            "svg": growth_svg(standard_of(size), list(points[size["standard_key"] + size["measure"]].values())),
        }
        for size in sorted(sizes, key=lambda size: size["measure"] != growth["leading"])
    ]


def sizes_of(growth: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Sizes for age of a stored result; none where an early version stored it."""
    return growth.get("sizes", []) if growth else []


def standard_of(size: dict[str, Any]) -> Standard:
    """The standard that judged a stored size."""
    return WEIGHT[size["standard_key"]] if size["measure"] == EFW else BIOMETRY[size["measure"]]


def context(session: Session, assessment: Assessment) -> dict[str, Any]:
    """Values of the template of the result page."""
    result = assessment.result
    trace, replaced_by = None, superseded_by(session, assessment)
    try:
        recording, marks = recording_of(assessment.ctg), marks_of(assessment)
        if recording is not None and marks is not None:
            trace = strip_svg(recording, marks)
    except InputError:  # an earlier version read this file; its numbers stay
        pass
    return {
        "assessment": assessment,
        "result": result,
        "shape": SHAPES[assessment.state],
        "brief": judgement(result),
        "trace": trace,
        "trace_summary": summary(result["distress"]["detail"]) if assessment.ctg and assessment.ctg.files else None,
        "trace_events": events(result["distress"]["detail"]),
        "features": _features(result["distress"]["detail"]),
        "charts": charts(session, assessment),
        "labels": LABELS,
        "lead_time": _lead_time(result["distress"]["detail"]),
        "bars": bars([reason for reason in result["reasons"] if abs(reason["log_odds"]) >= SHOWN_LOG_ODDS]),
        "total": sum(reason["log_odds"] for reason in [*result["reasons"], *_start(result)]),
        "outcome": outcome_of(session, assessment.fetus_id),
        "disagree_reasons": DISAGREE_REASONS,
        "replaced_by": replaced_by,
        "open": replaced_by is None and assessment.signed_at is None and assessment.withdrawn_at is None,
        "outdated_ages": outdated_ages(assessment),
        "replaces": session.get(Assessment, assessment.supersedes_id) if assessment.supersedes_id else None,
    }


def _start(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the sum of the contributions starts; empty where an early version stored the result."""
    return [result["start"]] if result.get("start") else []


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
    drawn = []
    for reason in reasons:
        width = 48 * abs(reason["log_odds"]) / largest
        raises = reason["log_odds"] > 0
        x = round(50 if raises else 50 - width, 1)
        drawn.append({**reason, "x": x, "width": round(width, 1), "raises": raises})
    return drawn
