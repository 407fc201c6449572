"""Pages of patients."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.accounts.guards import Clinician
from app.assessments.store import of_woman
from app.assessments.view import SHAPES, charts
from app.audit.store import record
from app.audit.store import search as audit_rows
from app.errors import NotFoundError
from app.pages import render
from app.paging import After
from app.patients.store import woman_by_pseudonym, women
from app.sessions import Database

router = APIRouter(include_in_schema=False)


@router.get("/patients")
def patients(
    request: Request,
    user: Clinician,
    session: Database,
    search: Annotated[str, Query(max_length=80)] = "",
    after: After = "",
) -> Response:
    """The list of patients, or those whose pseudonym begins with the search text."""
    page = women(session, search, after)
    shown = [row.pseudonym for row in page.rows]
    record(session, user, "patients.read", fold=True, search=search, shown=shown)
    return render(request, "patients.html", {"page": page, "next": page.next_of(request), "search": search})


@router.get("/patients/{pseudonym}")
def patient(request: Request, pseudonym: str, user: Clinician, session: Database) -> Response:
    """One woman: assessments, growth over visits, trend, who read what."""
    woman = woman_by_pseudonym(session, pseudonym)
    if woman is None:
        raise NotFoundError(f"patient {pseudonym}")
    record(session, user, "patient.read", subject=pseudonym, fold=True)
    assessments = of_woman(session, woman)
    drawn: dict[str, list[dict[str, str]]] = {}
    for assessment in assessments:
        if assessment.fetus.label not in drawn and (growth := charts(session, assessment, assessments)):
            drawn[assessment.fetus.label] = growth
    session.flush()
    trail = audit_rows(session, subject=pseudonym).rows
    values = {"woman": woman, "assessments": assessments, "charts": drawn, "shapes": SHAPES, "trail": trail}
    return render(request, "patient.html", values)
