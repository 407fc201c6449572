"""Pages of patients."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.guards import Clinician, User
from app.assessments.store import of_woman
from app.assessments.view import SHAPES, charts
from app.audit.store import of_woman as audit_of
from app.audit.store import record
from app.pages import render
from app.paging import After
from app.patients.api import merged, parted, renamed
from app.patients.store import Woman, merged_into, named, similar_to, to_merge, woman_of, women
from app.sessions import Database
from app.texts import Number

router = APIRouter(include_in_schema=False)
Reason = Annotated[str, Form(max_length=300)]


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
    doubtful = bool(to_merge(session, 1))
    values = {"page": page, "next": page.next_of(request), "search": search, "doubtful": doubtful}
    return render(request, "patients.html", values)


@router.get("/patients/to-merge")
def doubtful(request: Request, user: Clinician, session: Database) -> Response:
    """Women whose names earlier releases let in, each with those that it is easily taken for."""
    rows = to_merge(session)
    record(session, user, "patients.read", fold=True, shown=[row.pseudonym for row in rows])
    pairs = [(row, similar_to(session, row.pseudonym)) for row in rows]
    return render(request, "to_merge.html", {"pairs": pairs})


@router.get("/patients/{pseudonym}")
def by_pseudonym(request: Request, pseudonym: str, user: Clinician, session: Database) -> Response:
    """The page of the woman of a pseudonym, at the address of her number where that is spelt otherwise."""
    woman = named(session, pseudonym)
    return _page(request, session, user, woman) if woman.pseudonym == pseudonym else _to(woman)


def _to(woman: Woman) -> Response:
    return RedirectResponse(f"/patients/by-id/{woman.id}", 303)


@router.get("/patients/by-id/{number}")
def patient(request: Request, number: Number, user: Clinician, session: Database) -> Response:
    """One woman: assessments, growth over visits, trend, corrections, who read what."""
    woman = woman_of(session, number)
    if woman.id != number:
        return _to(woman)
    return _page(request, session, user, woman)


def _page(request: Request, session: Session, user: User, woman: Woman) -> Response:
    record(session, user, "patient.read", woman=woman, fold=True)
    assessments = of_woman(session, woman)
    drawn: dict[str, list[dict[str, str]]] = {}
    for assessment in assessments:
        if assessment.withdrawn_at is None and assessment.fetus.label not in drawn:
            growth = charts(session, assessment, assessments)
            drawn |= {assessment.fetus.label: growth} if growth else {}
    session.flush()
    values = {"woman": woman, "assessments": assessments, "charts": drawn, "shapes": SHAPES}
    others = {"similar": similar_to(session, woman.pseudonym), "merged": merged_into(session, woman)}
    return render(request, "patient.html", {**values, **others, "trail": audit_of(session, woman).rows})


@router.post("/patients/by-id/{number}/pseudonym")
def rename(
    number: Number,
    user: Clinician,
    session: Database,
    pseudonym: Annotated[str, Form(max_length=80)],
    reason: Reason = "",
) -> Response:
    """Correct a pseudonym."""
    return _to(renamed(session, user, number, pseudonym, reason))


@router.post("/patients/by-id/{number}/merge")
def merge(
    number: Number, user: Clinician, session: Database, into: Annotated[str, Form(max_length=80)], reason: Reason = ""
) -> Response:
    """Put this record under another one of the same woman."""
    return _to(merged(session, user, number, into, reason))


@router.post("/patients/by-id/{number}/split")
def split(number: Number, user: Clinician, session: Database, reason: Reason = "") -> Response:
    """Undo the merge of this record."""
    return _to(parted(session, user, number, reason))
