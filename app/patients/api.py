"""REST API of women."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from app.accounts.guards import Clinician, User
from app.assessments import store
from app.audit.store import record
from app.idempotency import Key, once
from app.paging import SIZE, After, Limit
from app.patients import corrections
from app.patients.schemas import (
    MergeRequest,
    PatientAnswer,
    PatientList,
    PatientRequest,
    PseudonymRequest,
    ReasonRequest,
)
from app.patients.service import register
from app.patients.store import Woman, named, similar_to, to_merge, woman_of, women
from app.sessions import Database
from app.texts import Number
from app.transactions import unit_of_work

router = APIRouter(prefix="/api/v1")


def _patient(session: Session, woman: Woman) -> PatientAnswer:
    return _listed(woman, store.numbers_of(session, [woman]).get(woman.id, []), similar_to(session, woman.pseudonym))


def _listed(woman: Woman, numbers: list[int], similar: list[Woman] | None = None) -> PatientAnswer:
    pregnancy = woman.pregnancies[-1]
    return PatientAnswer(
        id=woman.id,
        pseudonym=woman.pseudonym,
        synthetic=woman.synthetic,
        due_date=pregnancy.due_date,
        dating_method=pregnancy.dating_method,
        parity=pregnancy.parity,
        assessments=numbers,
        merged_into=woman.merged_into.pseudonym if woman.merged_into else None,
        similar=None if similar is None else [other.pseudonym for other in similar],
    )


@router.post("/patients", status_code=201, tags=["patients"])
def create_patient(request: Request, body: PatientRequest, user: Clinician, key: Key = None) -> PatientAnswer:
    """Register a woman under a pseudonym; `similar` names others that are easily taken for hers."""
    sessions = request.app.state.sessions

    def make(session: Session) -> str:
        woman = register(session, body)
        session.flush()
        record(session, user, "patient.create", woman=woman)
        return str(woman.id)

    number, _ = once(sessions, user, key, "patient" + body.model_dump_json(), make)
    with unit_of_work(sessions) as session:
        return _patient(session, woman_of(session, int(number)))


@router.get("/patients", tags=["patients"])
def list_patients(
    request: Request,
    user: Clinician,
    session: Database,
    search: Annotated[str, Query(max_length=80)] = "",
    after: After = "",
    limit: Limit = SIZE,
) -> PatientList:
    """Women whose pseudonym begins with `search`, newest first; `total` is null where there are more than 1000."""
    page = women(session, search, after, limit)
    record(session, user, "patients.read", fold=True, search=search, shown=[row.pseudonym for row in page.rows])
    numbers = store.numbers_of(session, page.rows)
    items = [_listed(row, numbers.get(row.id, [])) for row in page.rows]
    return PatientList(items=items, next=page.next_of(request), total=page.total)


@router.get("/patients/to-merge", tags=["patients"])
def list_to_merge(user: Clinician, session: Database) -> list[PatientAnswer]:
    """Women whose names earlier releases let in: each may be another one's in another spelling."""
    rows = to_merge(session)
    record(session, user, "patients.read", fold=True, shown=[row.pseudonym for row in rows])
    numbers = store.numbers_of(session, rows)
    return [_listed(row, numbers.get(row.id, []), similar_to(session, row.pseudonym)) for row in rows]


@router.get("/patients/{pseudonym}", tags=["patients"])
def get_patient(pseudonym: str, user: Clinician, session: Database) -> PatientAnswer:
    """One woman with the numbers of her assessments; where she was merged, the record that she is part of."""
    return _read(session, user, named(session, pseudonym))


@router.get("/patients/by-id/{number}", tags=["patients"])
def get_patient_by_id(number: Number, user: Clinician, session: Database) -> PatientAnswer:
    """The same by her number, for a pseudonym that no address can hold."""
    return _read(session, user, woman_of(session, number))


def _read(session: Session, user: User, woman: Woman) -> PatientAnswer:
    record(session, user, "patient.read", woman=woman, fold=True)
    return _patient(session, woman)


@router.post("/patients/by-id/{number}/pseudonym", tags=["patients"])
def correct_pseudonym(number: Number, body: PseudonymRequest, user: Clinician, session: Database) -> PatientAnswer:
    """Correct a pseudonym; the earlier one is free again."""
    return _patient(session, renamed(session, user, number, body.pseudonym, body.reason))


def renamed(session: Session, user: User, number: int, pseudonym: str, reason: str) -> Woman:
    """Correct a pseudonym, and say so in the audit."""
    reason = corrections.stated(reason)
    woman = woman_of(session, number)
    earlier = corrections.correct_pseudonym(session, woman, pseudonym)
    record(session, user, "patient.rename", woman=woman, earlier=earlier, reason=reason)
    return woman


@router.post("/patients/by-id/{number}/merge", tags=["patients"])
def merge(number: Number, body: MergeRequest, user: Clinician, session: Database) -> PatientAnswer:
    """Put this record under another one of the same woman; its name leads there from then on."""
    return _patient(session, merged(session, user, number, body.into, body.reason))


def merged(session: Session, user: User, number: int, into: str, reason: str) -> Woman:
    """Merge a record into the one of a pseudonym, and say so in the audit of both."""
    reason = corrections.stated(reason)
    woman, target = woman_of(session, number), named(session, into.strip())
    moved = corrections.merge(session, woman, target)
    for one, other in ((woman, target), (target, woman)):
        _record(session, user, "patient.merge", one, other, moved, reason)
    return target


@router.post("/patients/by-id/{number}/split", tags=["patients"])
def split(number: Number, body: ReasonRequest, user: Clinician, session: Database) -> PatientAnswer:
    """Undo the merge of this record: what came from it goes back."""
    return _patient(session, parted(session, user, number, body.reason))


def parted(session: Session, user: User, number: int, reason: str) -> Woman:
    """Undo a merge, and say so in the audit of both."""
    reason = corrections.stated(reason)
    woman = session.get(Woman, number) or woman_of(session, number)
    target = woman.merged_into
    moved = corrections.split(session, woman)
    for one, other in ((woman, target), (target, woman)):
        _record(session, user, "patient.split", one, other, moved, reason)
    return woman


def _record(
    session: Session, user: User, action: str, woman: Any, other: Any, moved: dict[str, Any], reason: str
) -> None:
    record(session, user, action, woman=woman, other=other.pseudonym, other_id=other.id, reason=reason, **moved)
