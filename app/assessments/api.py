"""REST API of assessments."""

import json
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.accounts.guards import Clinician
from app.assessments import store
from app.assessments.amend import add, redate
from app.assessments.forms import FIELDS, FILE_FIELDS, read_request
from app.assessments.inference import described
from app.assessments.routes import assessor, find
from app.assessments.schemas import (
    AssessmentAnswer,
    AssessmentRequest,
    ExaminationAnswer,
    OutlineRequest,
    ScaleRequest,
    TimeRequest,
    Uploads,
)
from app.assessments.service import Assessor, outline_of, scale_of
from app.audit.store import record
from app.database import unit_of_work
from app.idempotency import Key, once
from app.sessions import Database

router = APIRouter(prefix="/api/v1")


def answer(assessment: store.Assessment) -> AssessmentAnswer:
    """A stored assessment as the API returns it."""
    return AssessmentAnswer(
        id=assessment.id,
        url=f"/assessments/{assessment.id}",
        patient=assessment.woman.pseudonym,
        fetus=assessment.fetus.label,
        synthetic_patient=assessment.woman.synthetic,
        created_at=assessment.created_at,
        created_by=assessment.created_by,
        signed_by=assessment.signed_by,
        code_version=assessment.code_version,
        input_hashes=assessment.input_hashes,
        examinations=[ExaminationAnswer(**described(e)) for e in (assessment.ctg, assessment.scan) if e is not None],
        result=assessment.result,
    )


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

    def assess() -> dict[str, Any]:
        with unit_of_work(request.app.state.sessions) as session:

            def create() -> str:
                return str(assessor(request, session, user).create(parsed, uploads).id)

            identifier, _ = once(session, user, key, _fingerprint(parsed, uploads), create)
            return answer(find(session, int(identifier))).model_dump(mode="json")

    body = await run_in_threadpool(assess)
    return JSONResponse(body, 201, {"Location": f"/api/v1/assessments/{body['id']}"})


def _fingerprint(parsed: AssessmentRequest, uploads: Uploads) -> str:
    files = [(n, sha256(c).hexdigest()) for group in (uploads.ctg, uploads.image) for n, c in sorted(group.items())]
    return parsed.model_dump_json() + json.dumps(files)


@router.get("/assessments", tags=["assessments"])
def list_assessments(
    user: Clinician,
    session: Database,
    state: Annotated[str, Query(max_length=20)] = "",
    patient: Annotated[str, Query(max_length=80)] = "",
) -> list[AssessmentAnswer]:
    """The worklist, in the order of its page."""
    rows = store.worklist(session, state=state, search=patient)
    record(session, user, "worklist.read", fold=True, state=state, search=patient, shown=[row.id for row in rows])
    return [answer(row) for row in rows]


@router.get("/assessments/{identifier}", tags=["assessments"])
def get_assessment(identifier: int, user: Clinician, session: Database) -> AssessmentAnswer:
    """One assessment with its whole result."""
    assessment = find(session, identifier)
    record(session, user, "assessment.read", subject=assessment.woman.pseudonym, fold=True, assessment=identifier)
    return answer(assessment)


class RepeatAnswer(BaseModel):
    """Whether a stored assessment comes out the same again, and where it differs."""

    same: bool
    differences: list[str]


@router.post("/assessments/{identifier}/repeat", tags=["assessments"])
def repeat_assessment(request: Request, identifier: int, user: Clinician, session: Database) -> RepeatAnswer:
    """Compute it again from its stored files with the bundle that it names; no result is stored."""
    assessment = find(session, identifier)
    state = request.app.state
    repeater = Assessor(session, state.bundle.open(assessment.bundle), user, state.settings.circumstances)
    lines = repeater.repeat(assessment)
    return RepeatAnswer(same=not lines, differences=lines)


@router.post("/assessments/{identifier}/outline", status_code=201, tags=["assessments"])
def correct_outline(
    request: Request, identifier: int, body: OutlineRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with a drawn outline of the head; the outline of the model stays stored."""
    assessment = find(session, identifier)
    return answer(assessor(request, session, user).correct(assessment, outline_of(body, user), body.reason))


@router.post("/assessments/{identifier}/time", status_code=201, tags=["assessments"])
def correct_time(
    request: Request, identifier: int, body: TimeRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with another time of the CTG or the scan; the time that the file states stays stored."""
    return answer(redate(assessor(request, session, user), find(session, identifier), body))


@router.post(
    "/assessments/{identifier}/additions",
    status_code=201,
    tags=["assessments"],
    response_model=AssessmentAnswer,
    openapi_extra={"requestBody": _body_schema()},
)
async def add_to_assessment(request: Request, identifier: int, user: Clinician) -> Response:
    """Assess again with what was left out: a CTG, a scan, a due date, or the age at an examination."""
    parsed, uploads = await read_request(request)

    def amend() -> dict[str, Any]:
        with unit_of_work(request.app.state.sessions) as session:
            added = add(assessor(request, session, user), find(session, identifier), parsed, uploads)
            return answer(added).model_dump(mode="json")

    body = await run_in_threadpool(amend)
    return JSONResponse(body, 201, {"Location": f"/api/v1/assessments/{body['id']}"})


@router.post("/assessments/{identifier}/scale", status_code=201, tags=["assessments"])
def correct_scale(
    request: Request, identifier: int, body: ScaleRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with a stated scale of an image."""
    assessment = find(session, identifier)
    return answer(assessor(request, session, user).correct(assessment, scale_of(body, assessment.scan), body.reason))
