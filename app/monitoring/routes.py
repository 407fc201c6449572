"""Pages of monitoring for operators, and the form of outcomes for clinicians."""

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.guards import Clinician, Operator
from app.assessments.store import find
from app.audit.store import record
from app.errors import NotFoundError, Problem
from app.evidence.drawing import reliability_svg
from app.monitoring.api import entered, report_of
from app.monitoring.store import Notice, open_notices
from app.orm import now
from app.pages import render
from app.sessions import Database
from app.texts import Number, Word, moment_in_calendar
from models.evaluation.held_out import Bin

router = APIRouter(include_in_schema=False)


@router.post("/assessments/{identifier}/outcome")
def enter_on_page(
    identifier: Number,
    user: Clinician,
    session: Database,
    umbilical_artery_ph: Annotated[str, Form(max_length=12)],
    born_at: Annotated[str, Form(max_length=40)],
) -> Response:
    """Enter the outcome on the result page; a time without a zone is UTC."""
    assessment = find(session, identifier)
    try:
        ph = float(umbilical_artery_ph.replace(",", "."))
    except ValueError:
        raise Problem(422, "give the pH as a number") from None
    moment = moment_in_calendar("born_at", born_at)
    entered(session, user, assessment.fetus, ph, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return RedirectResponse(f"/assessments/{identifier}", 303)


@router.get("/monitoring")
def page(request: Request, user: Operator, session: Database, site: Word = "", bundle: Word = "") -> Response:
    """Drift, rates, live calibration and open notices."""
    hospitals, report = report_of(request, session, site, bundle)
    bins = [Bin(**group) for group in (report or {"outcomes": {}})["outcomes"].get("reliability", [])]
    values = {
        "places": hospitals,
        "report": report,
        "notices": open_notices(session),
        "calibration": reliability_svg(bins, "Live calibration") if bins else None,
    }
    return render(request, "monitoring.html", values)


@router.post("/monitoring/notices/{identifier}")
def acknowledge(
    identifier: Number, user: Operator, session: Database, reason: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    """Close a notice with a reason."""
    notice = session.get(Notice, identifier)
    if notice is None or notice.acknowledged_at is not None:
        raise NotFoundError(f"open notice {identifier}")
    if not reason.strip():
        raise Problem(422, "say what was done about the notice")
    notice.acknowledged_at, notice.acknowledged_by, notice.reason = now(), user.name, reason.strip()
    record(session, user, "notice.acknowledge", notice=identifier, what=notice.what, reason=notice.reason)
    return RedirectResponse("/monitoring", 303)
