"""Monitoring for operators, and outcomes from clinicians."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.guards import Clinician, Operator, User
from app.assessments.store import find
from app.audit.store import record
from app.errors import NotFoundError, Problem
from app.evidence.drawing import reliability_svg
from app.monitoring import outcomes, service
from app.monitoring.store import Notice, open_notices
from app.orm import now
from app.pages import render
from app.patients.store import Fetus, hold, woman_by_pseudonym
from app.sessions import Database
from models.evaluation.held_out import Bin

router = APIRouter()


class OutcomeRequest(BaseModel):
    """The outcome of a birth."""

    model_config = ConfigDict(extra="forbid")

    fetus: str = Field("A", pattern=r"^[A-F]$")
    umbilical_artery_ph: float
    born_at: AwareDatetime


class OutcomeAnswer(BaseModel):
    """An outcome as it is stored."""

    patient: str
    fetus: str
    umbilical_artery_ph: float
    born_at: datetime
    entered_by: str


def _enter(session: Session, user: User, fetus: Fetus, ph: float, born_at: datetime) -> OutcomeAnswer:
    hold(session, fetus.pregnancy.woman)
    row = outcomes.enter(session, fetus, ph, born_at, user)
    pseudonym = fetus.pregnancy.woman.pseudonym
    record(session, user, "outcome.enter", subject=pseudonym, fetus=fetus.label, ph=ph)
    return OutcomeAnswer(
        patient=pseudonym, fetus=fetus.label, umbilical_artery_ph=row.ph, born_at=row.born_at, entered_by=row.by
    )


@router.post("/api/v1/patients/{pseudonym}/outcomes", status_code=201, tags=["patients"])
def enter_outcome(pseudonym: str, body: OutcomeRequest, user: Clinician, session: Database) -> OutcomeAnswer:
    """Enter cord pH and birth; it feeds the live calibration of the bundle that assessed this fetus."""
    woman = woman_by_pseudonym(session, pseudonym)
    if woman is None:
        raise NotFoundError(f"patient {pseudonym}")
    fetus = next((each for each in woman.pregnancies[-1].fetuses if each.label == body.fetus), None)
    if fetus is None:
        raise NotFoundError(f"fetus {body.fetus} of patient {pseudonym}")
    return _enter(session, user, fetus, body.umbilical_artery_ph, body.born_at)


@router.post("/assessments/{identifier}/outcome", include_in_schema=False)
def enter_on_page(
    identifier: int,
    user: Clinician,
    session: Database,
    umbilical_artery_ph: Annotated[str, Form(max_length=12)],
    born_at: Annotated[str, Form(max_length=40)],
) -> Response:
    """Enter the outcome on the result page; a time without a zone is UTC."""
    assessment = find(session, identifier)
    try:
        ph, moment = float(umbilical_artery_ph.replace(",", ".")), datetime.fromisoformat(born_at)
    except ValueError:
        raise Problem(422, "give the pH as a number and the birth as a date and time") from None
    _enter(session, user, assessment.fetus, ph, moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return RedirectResponse(f"/assessments/{identifier}", 303)


def _report(request: Request, session: Session, site: str, bundle: str) -> tuple[list[Any], dict[str, Any] | None]:
    """Monitored hospitals, and the report of the chosen or latest one; its alarms raise notices."""
    hospitals = service.monitored_hospitals(session)
    chosen = next((p for p in hospitals if (not site or p[0] == site) and (not bundle or p[1] == bundle)), None)
    if chosen is None:
        if site or bundle:
            raise NotFoundError(f"assessments of hospital {site or 'any'} with bundle {bundle or 'any'}")
        return hospitals, None
    return hospitals, service.raise_notices(session, chosen[0], request.app.state.bundle.open(chosen[1]))


Word = Annotated[str, Query(max_length=80)]


@router.get("/monitoring", include_in_schema=False)
def page(request: Request, user: Operator, session: Database, site: Word = "", bundle: Word = "") -> Response:
    """Drift, rates, live calibration and open notices."""
    hospitals, report = _report(request, session, site, bundle)
    bins = [Bin(**group) for group in (report or {"outcomes": {}})["outcomes"].get("reliability", [])]
    values = {
        "places": hospitals,
        "report": report,
        "notices": open_notices(session),
        "calibration": reliability_svg(bins, "Live calibration") if bins else None,
    }
    return render(request, "monitoring.html", values)


@router.get("/api/v1/monitoring", tags=["bundles"])
def as_json(request: Request, user: Operator, session: Database, site: Word = "", bundle: Word = "") -> dict[str, Any]:
    """The figures of one hospital and bundle (the latest unless chosen), and the open notices."""
    hospitals, report = _report(request, session, site, bundle)
    notices = [
        {"id": n.id, "site": n.site, "bundle": n.bundle, "what": n.what, "text": n.text} for n in open_notices(session)
    ]
    places = [{"site": site_, "bundle": bundle_, "assessments": number} for site_, bundle_, number in hospitals]
    return {"places": places, "report": report, "notices": notices}


@router.post("/monitoring/notices/{identifier}", include_in_schema=False)
def acknowledge(
    identifier: int, user: Operator, session: Database, reason: Annotated[str, Form(max_length=400)] = ""
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
