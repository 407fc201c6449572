"""REST API of monitoring for operators, and of outcomes for clinicians."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.accounts.guards import Clinician, Operator, User
from app.audit.store import record
from app.errors import NotFoundError
from app.monitoring import outcomes, service
from app.monitoring.store import open_notices
from app.patients.store import Fetus, hold, named
from app.sessions import Database
from app.texts import Moment, Word

router = APIRouter(prefix="/api/v1")


class OutcomeRequest(BaseModel):
    """The outcome of a birth."""

    model_config = ConfigDict(extra="forbid")

    fetus: str = Field("A", pattern=r"^[A-F]$")
    umbilical_artery_ph: float
    born_at: Moment


class OutcomeAnswer(BaseModel):
    """An outcome as it is stored."""

    patient: str
    fetus: str
    umbilical_artery_ph: float
    born_at: datetime
    entered_by: str


def entered(session: Session, user: User, fetus: Fetus, ph: float, born_at: datetime) -> OutcomeAnswer:
    hold(session, fetus.pregnancy.woman)
    row = outcomes.enter(session, fetus, ph, born_at, user)
    woman = fetus.pregnancy.woman
    record(session, user, "outcome.enter", woman=woman, fetus=fetus.label, ph=ph)
    return OutcomeAnswer(
        patient=woman.pseudonym, fetus=fetus.label, umbilical_artery_ph=row.ph, born_at=row.born_at, entered_by=row.by
    )


@router.post("/patients/{pseudonym}/outcomes", status_code=201, tags=["patients"])
def enter_outcome(pseudonym: str, body: OutcomeRequest, user: Clinician, session: Database) -> OutcomeAnswer:
    """Enter cord pH and birth; it feeds the live calibration of the bundle that assessed this fetus."""
    woman = named(session, pseudonym)
    fetus = next((each for each in woman.pregnancies[-1].fetuses if each.label == body.fetus), None)
    if fetus is None:
        raise NotFoundError(f"fetus {body.fetus} of patient {pseudonym}")
    return entered(session, user, fetus, body.umbilical_artery_ph, body.born_at)


def report_of(request: Request, session: Session, site: str, bundle: str) -> tuple[list[Any], dict[str, Any] | None]:
    """Monitored hospitals, and the report of the chosen or latest one; its alarms raise notices."""
    hospitals = service.monitored_hospitals(session)
    chosen = next((p for p in hospitals if (not site or p[0] == site) and (not bundle or p[1] == bundle)), None)
    if chosen is None:
        if site or bundle:
            raise NotFoundError(f"assessments of hospital {site or 'any'} with bundle {bundle or 'any'}")
        return hospitals, None
    return hospitals, service.raise_notices(session, chosen[0], request.app.state.bundle.verified(chosen[1]))


@router.get("/monitoring", tags=["bundles"])
def as_json(request: Request, user: Operator, session: Database, site: Word = "", bundle: Word = "") -> dict[str, Any]:
    """The figures of one hospital and bundle (the latest unless chosen), and the open notices."""
    hospitals, report = report_of(request, session, site, bundle)
    notices = [
        {"id": n.id, "site": n.site, "bundle": n.bundle, "what": n.what, "text": n.text} for n in open_notices(session)
    ]
    places = [{"site": site_, "bundle": bundle_} for site_, bundle_ in hospitals]
    return {"places": places, "report": report, "notices": notices}
