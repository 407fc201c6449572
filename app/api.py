"""REST API under ``/api/v1``: patients, assessments; jobs and bundles for operators."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.accounts.guards import AnyUser, Clinician, Database, Operator, User
from app.assessments import service, store
from app.assessments.forms import FIELDS, FILE_FIELDS, read_request
from app.assessments.routes import corrected, find
from app.assessments.schemas import AssessmentAnswer, AssessmentRequest, OutlineRequest, ScaleRequest
from app.assessments.service import Uploads
from app.audit.store import record
from app.database import now, unit_of_work
from app.errors import NotFoundError, Problem
from app.jobs import service as jobs
from app.patients.schemas import PatientAnswer, PatientRequest
from app.patients.service import register
from app.patients.store import Woman, woman_by_pseudonym, women
from app.registry.store import BundleRow, bundles, latest
from federated import runs

router = APIRouter(prefix="/api/v1")
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=120)]


class BundleAnswer(BaseModel):
    """A bundle."""

    identifier: str
    name: str
    in_service: bool
    gate: str
    run: str | None
    registered_at: datetime
    manifest: dict[str, Any] | None = None


class ReasonRequest(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)


class JobRequest(BaseModel):
    """Which shipped plan to run."""

    model_config = ConfigDict(extra="forbid")
    plan: str = Field(min_length=1, max_length=80)
    sites: list[str] = Field(default=[], max_length=1000, description="hospitals; none: simulated on this machine")
    minimum_sites: int | None = Field(None, ge=1, description="with how many of them it goes on; none: all")


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


def _patient(session: Session, woman: Woman) -> PatientAnswer:
    pregnancy = woman.pregnancies[-1]
    return PatientAnswer(
        pseudonym=woman.pseudonym,
        synthetic=woman.synthetic,
        due_date=pregnancy.due_date,
        dating_method=pregnancy.dating_method,
        parity=pregnancy.parity,
        assessments=[row.id for row in store.of_woman(session, woman)],
    )


def once(session: Session, user: User, key: str | None, content: str, make: Callable[[], str]) -> tuple[str, bool]:
    """Create a resource once a key: a repeat gives the first one, another content under the key is refused."""
    if key is None:
        return make(), True
    digest = sha256(content.encode()).hexdigest()
    query = select(store.IdempotencyKey).where(
        store.IdempotencyKey.account_id == user.id, store.IdempotencyKey.key == key
    )
    known = session.scalar(query)
    if known is not None:
        if known.request_hash != digest:
            raise Problem(422, "this Idempotency-Key was used for another request")
        return known.resource, False
    resource = make()
    session.add(store.IdempotencyKey(account_id=user.id, key=key, request_hash=digest, resource=resource, at=now()))
    session.flush()
    return resource, True


@router.post("/patients", status_code=201, tags=["patients"])
def create_patient(body: PatientRequest, user: Clinician, session: Database, key: Key = None) -> PatientAnswer:
    """Register a woman under a pseudonym."""
    name, fresh = once(
        session, user, key, "patient" + body.model_dump_json(), lambda: register(session, body).pseudonym
    )
    woman = woman_by_pseudonym(session, name)
    assert woman is not None
    if fresh:
        record(session, user, "patient.create", subject=name)
    return _patient(session, woman)


@router.get("/patients", tags=["patients"])
def list_patients(
    user: Clinician, session: Database, search: Annotated[str, Query(max_length=80)] = ""
) -> list[PatientAnswer]:
    """Women whose pseudonym contains `search`."""
    rows = women(session, search)
    record(session, user, "patients.read", fold=True, search=search, shown=[row.pseudonym for row in rows])
    return [_patient(session, row) for row in rows]


@router.get("/patients/{pseudonym}", tags=["patients"])
def get_patient(pseudonym: str, user: Clinician, session: Database) -> PatientAnswer:
    """One woman."""
    woman = woman_by_pseudonym(session, pseudonym)
    if woman is None:
        raise NotFoundError(f"patient {pseudonym}")
    record(session, user, "patient.read", subject=pseudonym, fold=True)
    return _patient(session, woman)


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
                bundle = request.app.state.bundle.get(session)
                circumstances = request.app.state.settings.circumstances
                made = service.create(session, bundle, parsed, uploads, user, circumstances)
                subject = made.woman.pseudonym
                record(session, user, "assessment.create", subject=subject, assessment=made.id, state=made.state)
                return str(made.id)

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
    found = find(session, identifier)
    lines = service.run_again(session, request.app.state.bundle.open(found.bundle), found)
    record(session, user, "assessment.repeat", subject=found.woman.pseudonym, assessment=identifier, same=not lines)
    return RepeatAnswer(same=not lines, differences=lines)


@router.post("/assessments/{identifier}/outline", status_code=201, tags=["assessments"])
def correct_outline(
    request: Request, identifier: int, body: OutlineRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with a drawn outline of the head; the model's is kept beside it."""
    return answer(corrected(request, user, session, identifier, service.outline_of(body, user), body.reason))


@router.post("/assessments/{identifier}/scale", status_code=201, tags=["assessments"])
def correct_scale(
    request: Request, identifier: int, body: ScaleRequest, user: Clinician, session: Database
) -> AssessmentAnswer:
    """Assess again with the scale of an image stated."""
    changes = service.scale_of(body, find(session, identifier).scan)
    return answer(corrected(request, user, session, identifier, changes, body.reason))


def _bundle(session: Session, row: BundleRow, manifest: dict[str, Any] | None = None) -> BundleAnswer:
    current = latest(session)
    return BundleAnswer(
        identifier=row.identifier,
        name=row.name,
        in_service=current is not None and current.bundle_id == row.identifier,
        gate=row.gate,
        run=row.run,
        registered_at=row.registered_at,
        manifest=manifest,
    )


@router.get("/bundles", tags=["bundles"])
def list_bundles(request: Request, user: Operator, session: Database) -> list[BundleAnswer]:
    """All bundles, newest first; candidates of finished runs are among them."""
    jobs.collect(session, request.app.state.settings)
    return [_bundle(session, row) for row in bundles(session)]


@router.get("/bundles/{identifier}", tags=["bundles"])
def get_bundle(request: Request, identifier: str, user: Operator, session: Database) -> BundleAnswer:
    """One bundle with its manifest."""
    row = session.get(BundleRow, identifier)
    if row is None:
        raise NotFoundError(f"bundle {identifier}")
    return _bundle(session, row, request.app.state.bundle.open(identifier).manifest)


@router.post("/bundles/{identifier}/promote", tags=["bundles"])
def promote_bundle(
    request: Request, identifier: str, body: ReasonRequest, user: Operator, session: Database
) -> BundleAnswer:
    """Put a bundle in service."""
    made = request.app.state.bundle.promote(session, identifier, user.name, body.reason)
    record(session, user, "bundle.promote", bundle=identifier, reason=body.reason)
    return _bundle(session, session.get_one(BundleRow, made.bundle_id))


@router.post("/bundles/roll-back", tags=["bundles"])
def roll_back_bundle(request: Request, body: ReasonRequest, user: Operator, session: Database) -> BundleAnswer:
    """Back to the bundle that served before."""
    made = request.app.state.bundle.roll_back(session, user.name, body.reason)
    record(session, user, "bundle.roll-back", bundle=made.bundle_id, reason=body.reason)
    return _bundle(session, session.get_one(BundleRow, made.bundle_id))


@router.get("/jobs", tags=["jobs"])
def list_jobs(request: Request, user: Operator, session: Database) -> list[runs.RunStatus]:
    """All retraining runs, newest first."""
    return jobs.collect(session, request.app.state.settings)


@router.post("/jobs", status_code=201, tags=["jobs"])
def start_job(request: Request, body: JobRequest, user: Operator, session: Database, key: Key = None) -> runs.RunStatus:
    """Start a shipped plan, on this machine or between hospitals that have joined."""
    settings = request.app.state.settings
    asked = "job" + body.model_dump_json()
    start = partial(jobs.start, session, settings, body.plan, body.sites, body.minimum_sites)
    name, fresh = once(session, user, key, asked, start)
    if fresh:
        record(session, user, "run.start", plan=body.plan, run=name, sites=sorted(body.sites))
    return runs.status(jobs.find(settings, name))


@router.get("/jobs/{name}", tags=["jobs"])
def get_job(request: Request, name: str, user: Operator) -> runs.RunStatus:
    """One run."""
    return runs.status(jobs.find(request.app.state.settings, name))


@router.post("/jobs/{name}/stop", tags=["jobs"])
def stop_job(request: Request, name: str, user: Operator, session: Database) -> runs.RunStatus:
    """Ask a run to stop."""
    path = jobs.find(request.app.state.settings, name)
    runs.stop(path)
    record(session, user, "run.stop", run=name)
    return runs.status(path)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request, user: AnyUser) -> dict[str, Any]:
    """The OpenAPI description."""
    return schema(request.app)


def schema(app: Any) -> dict[str, Any]:
    """OpenAPI with the assessment's JSON body among the components."""
    document: dict[str, Any] = app.openapi()
    definitions = AssessmentRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    components = document["components"]["schemas"]
    for name, definition in definitions.pop("$defs", {}).items():
        components.setdefault(name, definition)
    components.setdefault("AssessmentRequest", definitions)
    return document
