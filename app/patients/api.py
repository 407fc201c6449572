"""REST API of women."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from app.accounts.guards import Clinician
from app.assessments import store
from app.audit.store import record
from app.errors import NotFoundError
from app.idempotency import Key, once
from app.paging import SIZE, After, Limit
from app.patients.schemas import PatientAnswer, PatientList, PatientRequest
from app.patients.service import register
from app.patients.store import Woman, woman_by_pseudonym, women
from app.sessions import Database
from app.transactions import unit_of_work

router = APIRouter(prefix="/api/v1")


def _patient(woman: Woman, numbers: list[int]) -> PatientAnswer:
    pregnancy = woman.pregnancies[-1]
    return PatientAnswer(
        pseudonym=woman.pseudonym,
        synthetic=woman.synthetic,
        due_date=pregnancy.due_date,
        dating_method=pregnancy.dating_method,
        parity=pregnancy.parity,
        assessments=numbers,
    )


@router.post("/patients", status_code=201, tags=["patients"])
def create_patient(request: Request, body: PatientRequest, user: Clinician, key: Key = None) -> PatientAnswer:
    """Register a woman under a pseudonym."""
    sessions = request.app.state.sessions

    def make(session: Session) -> str:
        name = register(session, body).pseudonym
        session.flush()
        record(session, user, "patient.create", subject=name)
        return name

    name, _ = once(sessions, user, key, "patient" + body.model_dump_json(), make)
    with unit_of_work(sessions) as session:
        woman = woman_by_pseudonym(session, name)
        assert woman is not None
        return _patient(woman, store.numbers_of(session, [woman]).get(woman.id, []))


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
    items = [_patient(row, numbers.get(row.id, [])) for row in page.rows]
    return PatientList(items=items, next=page.next_of(request), total=page.total)


@router.get("/patients/{pseudonym}", tags=["patients"])
def get_patient(pseudonym: str, user: Clinician, session: Database) -> PatientAnswer:
    """One woman with the numbers of her assessments."""
    woman = woman_by_pseudonym(session, pseudonym)
    if woman is None:
        raise NotFoundError(f"patient {pseudonym}")
    record(session, user, "patient.read", subject=pseudonym, fold=True)
    return _patient(woman, store.numbers_of(session, [woman]).get(woman.id, []))
