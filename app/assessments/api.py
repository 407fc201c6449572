"""REST API of assessments."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.accounts.guards import Clinician
from app.assessments import jobs, store
from app.assessments.answers import answer, listed
from app.assessments.forms import FIELDS, FILE_FIELDS, read_request
from app.assessments.routes import withdrawn, worked
from app.assessments.schemas import (
    AssessmentAnswer,
    AssessmentList,
    MoveRequest,
    OutlineRequest,
    ScaleRequest,
    TimeRequest,
)
from app.assessments.store import find
from app.audit.store import record
from app.idempotency import Key
from app.paging import SIZE, After, Limit
from app.patients.schemas import ReasonRequest
from app.sessions import Database
from app.texts import Date, Number

router = APIRouter(prefix="/api/v1")
State = Literal["high", "raised", "undecided", "cannot assess", "low"]


def _body_schema() -> dict[str, Any]:
    fields: dict[str, Any] = {name: {"type": "string"} for name in FIELDS}
    files = {name: {"type": "array", "items": {"type": "string", "format": "binary"}} for name in FILE_FIELDS}
    form = {"type": "object", "properties": fields | files, "required": ["patient"], "additionalProperties": False}
    return {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/AssessmentRequest"}},
            "multipart/form-data": {"schema": form},
        },
    }


@router.post(
    "/assessments",
    status_code=201,
    tags=["assessments"],
    response_model=AssessmentAnswer,
    openapi_extra={"requestBody": _body_schema()},
)
async def create_assessment(request: Request, user: Clinician, key: Key = None) -> Response:
    """Assess a CTG and/or a scan: JSON with features, or multipart with files (`ctg` and `image` may repeat)."""
    parsed, uploads = await read_request(request)
    return _stored(await worked(request, jobs.answered, jobs.create, user, parsed, uploads, key))


def _stored(answered: tuple[int, bytes]) -> Response:
    """The answer with a stored assessment, as the worker wrote it."""
    number, body = answered
    headers = {"Location": f"/api/v1/assessments/{number}"}
    return Response(body, 201, headers, media_type="application/json")


@router.get("/assessments", tags=["assessments"])
def list_assessments(
    request: Request,
    user: Clinician,
    session: Database,
    state: State | None = None,
    patient: Annotated[str, Query(max_length=80, description="A whole pseudonym.")] = "",
    search: Annotated[str, Query(max_length=80, description="The beginning of a pseudonym.")] = "",
    reviewed: bool | None = None,
    since: Annotated[Date | None, Query(description="Made on this day or later, UTC.")] = None,
    until: Annotated[Date | None, Query(description="Made on this day or earlier, UTC.")] = None,
    after: After = "",
    limit: Limit = SIZE,
) -> AssessmentList:
    """The worklist, in the order of its page: unreviewed first, then the most urgent, then the newest.

    `total` is null where there are more than 1000; a result is read one by one.
    """
    filters = store.Filters(state or "", patient, search, "", reviewed, since, until)
    page = store.worklist(session, filters, after, limit)
    shown = [row.id for row in page.rows]
    record(session, user, "worklist.read", fold=True, state=state or "", search=patient or search, shown=shown)
    return AssessmentList(items=[listed(row) for row in page.rows], next=page.next_of(request), total=page.total)


@router.get("/assessments/{identifier}", tags=["assessments"])
def get_assessment(identifier: Number, user: Clinician, session: Database) -> AssessmentAnswer:
    """One assessment with its whole result."""
    assessment = find(session, identifier)
    record(session, user, "assessment.read", woman=assessment.woman, fold=True, assessment=identifier)
    return answer(session, assessment)


@router.post("/assessments/{identifier}/entered-in-error", tags=["assessments"])
def enter_in_error(identifier: Number, body: ReasonRequest, user: Clinician, session: Database) -> AssessmentAnswer:
    """Mark an assessment and those that it replaced as entered in error: it counts nowhere, and stays in the record."""
    assessment = find(session, identifier)
    withdrawn(session, user, assessment, body.reason)
    return answer(session, assessment)


@router.post("/assessments/{identifier}/move", status_code=201, tags=["assessments"], response_model=AssessmentAnswer)
async def move_assessment(request: Request, identifier: Number, body: MoveRequest, user: Clinician) -> Response:
    """Assess the same examinations for another woman or fetus; the old assessment is entered in error."""
    return _stored(await worked(request, jobs.answered, jobs.move, user, identifier, body))


class RepeatAnswer(BaseModel):
    """Whether a stored assessment comes out the same again, and where it differs."""

    same: bool
    differences: list[str]


@router.post("/assessments/{identifier}/repeat", tags=["assessments"])
async def repeat_assessment(request: Request, identifier: Number, user: Clinician) -> RepeatAnswer:
    """Compute it again from its stored files with the bundle that it names; no result is stored."""
    lines = await worked(request, jobs.repeat, user, identifier)
    return RepeatAnswer(same=not lines, differences=lines)


@router.post(
    "/assessments/{identifier}/outline", status_code=201, tags=["assessments"], response_model=AssessmentAnswer
)
async def correct_outline(request: Request, identifier: Number, body: OutlineRequest, user: Clinician) -> Response:
    """Assess again with a drawn outline of the head; the outline of the model stays stored."""
    return _stored(await worked(request, jobs.answered, jobs.correct_outline, user, identifier, body))


@router.post("/assessments/{identifier}/time", status_code=201, tags=["assessments"], response_model=AssessmentAnswer)
async def correct_time(request: Request, identifier: Number, body: TimeRequest, user: Clinician) -> Response:
    """Assess again with another time of the CTG or the scan; the time that the file states stays stored."""
    return _stored(await worked(request, jobs.answered, jobs.correct_time, user, identifier, body))


@router.post(
    "/assessments/{identifier}/additions",
    status_code=201,
    tags=["assessments"],
    response_model=AssessmentAnswer,
    openapi_extra={"requestBody": _body_schema()},
)
async def add_to_assessment(request: Request, identifier: Number, user: Clinician) -> Response:
    """Assess again with what was left out: a CTG, a scan, a due date, or the age at an examination."""
    parsed, uploads = await read_request(request)
    return _stored(await worked(request, jobs.answered, jobs.add, user, identifier, parsed, uploads))


@router.post("/assessments/{identifier}/scale", status_code=201, tags=["assessments"], response_model=AssessmentAnswer)
async def correct_scale(request: Request, identifier: Number, body: ScaleRequest, user: Clinician) -> Response:
    """Assess again with a stated scale of an image."""
    return _stored(await worked(request, jobs.answered, jobs.correct_scale, user, identifier, body))
