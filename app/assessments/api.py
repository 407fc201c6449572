"""REST API of assessments."""

import json
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.accounts.guards import Clinician, Database
from app.assessments import store
from app.assessments.forms import FIELDS, FILE_FIELDS, read_request
from app.assessments.routes import assessor_of, find
from app.assessments.schemas import AssessmentAnswer, AssessmentRequest, OutlineRequest, ScaleRequest, Uploads
from app.assessments.service import Assessor, outline_of, scale_of
from app.audit.store import record
from app.database import unit_of_work
from app.idempotency import Key, once

router = APIRouter(prefix="/api/v1")


def answer(found: store.Assessment) -> AssessmentAnswer:
    """A stored assessment as the API gives it."""
    return AssessmentAnswer(
        id=found.id,
        url=f"/assessments/{found.id}",
        patient=found.woman.pseudonym,
        fetus=found.fetus.label,
        synthetic_patient=found.woman.synthetic,
        created_at=found.created_at,
        created_by=found.created_by,
        signed_by=found.signed_by,
        code_version=found.code_version,
        input_hashes=found.input_hashes,
        result=found.result,
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

    def make() -> dict[str, Any]:
        with unit_of_work(request.app.state.sessions) as session:

            def create() -> str:
                return str(assessor_of(request, session, user).create(parsed, uploads).id)

            identifier, _ = once(session, user, key, _fingerprint(parsed, uploads), create)
            return answer(find(session, int(identifier))).model_dump(mode="json")

    body = await run_in_threadpool(make)
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
    """The worklist, in its order."""
    rows = store.worklist(session, state=state, search=patient)
    record(session, user, "worklist.read", fold=True, state=state, search=patient, shown=[row.id for row in rows])
    return [answer(row) for row in rows]


@router.get("/assessments/{identifier}", tags=["assessments"])
def get_assessment(identifier: int, user: Clinician, session: Database) -> AssessmentAnswer:
    """One assessment."""
    found = find(session, identifier)
    record(session, user, "assessment.read", subject=found.woman.pseudonym, fold=True, assessment=identifier)
    return answer(found)


class RepeatAnswer(BaseModel):
    """Whether a stored assessment comes out again."""

    same: bool
    differences: list[str]


@router.post("/assessments/{identifier}/repeat", tags=["assessments"])
def repeat_assessment(request: Request, identifier: int, user: Clinician, session: Database) -> RepeatAnswer:
    """Make it again from its stored inputs with the bundle that it names; nothing is stored."""
    stored = find(session, identifier)
    bundle = request.app.state.bundle.open(stored.bundle)
    lines = Assessor(session, bundle, user, request.app.state.settings.circumstances).repeat(stored)
    return RepeatAnswer(same=not lines, differences=lines)


@router.post("/assessments/{identifier}/outline", status_code=201, tags=["assessments"])
def correct_outline(
    request: Request, identifier: int, body: OutlineRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with a drawn outline of the head; the model's is kept beside it."""
    corrected = assessor_of(request, session, user).correct(
        find(session, identifier), outline_of(body, user), body.reason
    )
    return answer(corrected)


@router.post("/assessments/{identifier}/scale", status_code=201, tags=["assessments"])
def correct_scale(
    request: Request, identifier: int, body: ScaleRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with the scale of an image stated."""
    replaced = find(session, identifier)
    changes = scale_of(body, replaced.scan)
    return answer(assessor_of(request, session, user).correct(replaced, changes, body.reason))
