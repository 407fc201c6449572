"""Pages of assessments: worklist, new assessment, result, review, correction and signature."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form, Query, Request
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.accounts.guards import Clinician, User
from app.assessments import review as review_
from app.assessments import store
from app.assessments.amend import add, redate
from app.assessments.forms import moment_of, read_request
from app.assessments.schemas import AssessmentRequest, OutlineForm, ScaleRequest, TimeRequest, Uploads
from app.assessments.service import Assessor, outline_of, scale_of
from app.assessments.traces import marks_of, recording_of
from app.assessments.view import SHAPES, context
from app.audit.store import record
from app.database import unit_of_work
from app.errors import NotFoundError, Problem
from app.identity import key_of
from app.pages import render
from app.patients.schemas import DatingMethod
from app.sessions import Database
from models.ctg.strip import thin
from models.errors import FetalHealthError
from models.fusion.state import STATES
from models.growth.weight import WEIGHT
from models.ultrasound import formats as image_formats
from models.ultrasound.image import UltrasoundImage

router = APIRouter(include_in_schema=False)
CHOICES = {
    "methods": DatingMethod.__args__,  # type: ignore[attr-defined]
    "weight_standards": {key: standard.name for key, standard in WEIGHT.items()},
}


def find(session: Session, identifier: int) -> store.Assessment:
    """The assessment, or 404."""
    assessment = session.get(store.Assessment, identifier)
    if assessment is None:
        raise NotFoundError(f"assessment {identifier}")
    return assessment


def assessor(request: Request, session: Session, user: User) -> Assessor:
    """What makes and corrects assessments for this request, with the bundle in service."""
    state = request.app.state
    settings = state.settings
    return Assessor(session, state.bundle.get(session), user, settings.circumstances, key_of(settings.home))


@router.get("/")
def worklist(
    request: Request,
    user: Clinician,
    session: Database,
    state: Annotated[str, Query(max_length=20)] = "",
    search: Annotated[str, Query(max_length=80)] = "",
    mine: bool = False,
) -> Response:
    """The worklist; htmx asks for its table alone."""
    rows = store.worklist(session, state=state, search=search, mine=user.name if mine else "")
    shown = [row.id for row in rows]
    record(session, user, "worklist.read", fold=True, state=state, search=search, mine=mine, shown=shown)
    values = {"rows": rows, "shapes": SHAPES, "state": state, "search": search, "mine": mine, "states": STATES}
    partial = request.headers.get("hx-request") == "true"
    return render(request, "worklist_table.html" if partial else "worklist.html", values)


@router.get("/assessments/new")
def new(request: Request, user: Clinician, patient: Annotated[str, Query(max_length=80)] = "") -> Response:
    """The form for a new assessment."""
    return render(request, "new_assessment.html", {"patient": patient, "error": None, "form": {}, **CHOICES})


@router.post("/assessments/new")
async def create(request: Request, user: Clinician) -> Response:
    """Assess what the form sends; a refusal shows the form again with what was typed."""

    def assess(parsed: AssessmentRequest, uploads: Uploads) -> int:
        with unit_of_work(request.app.state.sessions) as session:
            return assessor(request, session, user).create(parsed, uploads).id

    form = await request.form()
    typed = {name: value for name, value in form.items() if isinstance(value, str)}

    def again(error: str) -> Response:
        values = {"patient": typed.get("patient", ""), "error": error, "form": typed, **CHOICES}
        return render(request, "new_assessment.html", values, 422)

    return await _answered(request, assess, again)


async def _answered(
    request: Request,
    assess: Callable[[AssessmentRequest, Uploads], int],
    again: Callable[[str], Response],
) -> Response:
    """To the new assessment, or the refusal: inside the page where a script sent the form, which keeps its files."""
    by_script = request.headers.get("hx-request") == "true"
    try:
        parsed, uploads = await read_request(request)
        identifier = await run_in_threadpool(assess, parsed, uploads)
    except FetalHealthError as error:
        if by_script:
            return render(
                request,
                "check.html",
                {"error": f"{str(error).rstrip('.')}. Nothing was stored; the files stay chosen."},
                422,
            )
        return await run_in_threadpool(again, str(error))
    if by_script:
        return Response(status_code=201, headers={"HX-Redirect": f"/assessments/{identifier}"})
    return RedirectResponse(f"/assessments/{identifier}", 303)


@router.get("/assessments/{identifier}")
def show(request: Request, identifier: int, user: Clinician, session: Database) -> Response:
    """The result page."""
    assessment = find(session, identifier)
    record(session, user, "assessment.read", subject=assessment.woman.pseudonym, fold=True, assessment=identifier)
    return render(request, "assessment.html", context(session, assessment))


@router.get("/assessments/{identifier}/trace")
def trace(identifier: int, user: Clinician, session: Database) -> Response:
    """The trace as arrays, for the browser to draw; lost samples are null."""
    assessment = find(session, identifier)
    recording, marks = recording_of(assessment.ctg), marks_of(assessment)
    if recording is None or marks is None:
        raise NotFoundError(f"a raw trace of assessment {identifier}")
    record(session, user, "trace.read", subject=assessment.woman.pseudonym, fold=True, assessment=identifier)
    seconds, heart, toco = thin(recording, 2.0)
    detail = assessment.result["distress"]["detail"]
    body = {
        "seconds": np.round(seconds, 2).tolist(),
        "fhr": _with_null(heart),
        "toco": _with_null(toco) if toco is not None else None,
        "baseline": _with_null(marks.baseline_bpm),
        "events": {kind: detail.get(kind) or [] for kind in ("accelerations", "decelerations", "contractions")},
    }
    return JSONResponse(body)


def _with_null(values: Any) -> list[float | None]:
    return [None if not np.isfinite(value) else round(float(value), 1) for value in values]


@router.get("/assessments/{identifier}/images/{number}")
def image(identifier: int, number: int, user: Clinician, session: Database) -> Response:
    """One image of the scan (from 1), as stored: grey values without metadata."""
    assessment = find(session, identifier)
    files = assessment.scan.files if assessment.scan else []
    if not 1 <= number <= len(files):
        raise NotFoundError(f"image {number} of assessment {identifier}")
    record(session, user, "image.read", subject=assessment.woman.pseudonym, fold=True, assessment=identifier)
    pixels = image_formats.pictures.read(files[number - 1].name, files[number - 1].content)
    return Response(image_formats.as_png(UltrasoundImage(pixels)), media_type="image/png")


def _changed(session: Session, user: User, assessment: store.Assessment, action: str, **detail: Any) -> Response:
    record(session, user, action, subject=assessment.woman.pseudonym, assessment=assessment.id, **detail)
    return RedirectResponse(f"/assessments/{assessment.id}", 303)


@router.post("/assessments/{identifier}/review")
def review(
    identifier: int,
    user: Clinician,
    session: Database,
    verdict: Annotated[str, Form(max_length=12)],
    reason: Annotated[str, Form(max_length=80)] = "",
    text: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Record that a clinician agrees, disagrees with a reason, or cannot tell."""
    assessment = find(session, identifier)
    review_.review(session, assessment, verdict, reason, text, user)
    return _changed(session, user, assessment, "assessment.review", verdict=verdict)


@router.post("/assessments/{identifier}/sign")
def sign(identifier: int, user: Clinician, session: Database) -> Response:
    """Sign an assessment."""
    assessment = find(session, identifier)
    review_.sign(session, assessment, user)
    return _changed(session, user, assessment, "assessment.sign")


@router.post("/assessments/{identifier}/notes")
def add_note(
    identifier: int, user: Clinician, session: Database, text: Annotated[str, Form(max_length=4000)] = ""
) -> Response:
    """Add a note."""
    assessment = find(session, identifier)
    review_.note(session, assessment, text, user)
    return _changed(session, user, assessment, "assessment.note")


def _corrected(
    request: Request, user: User, session: Session, identifier: int, changes: dict[str, Any], reason: str
) -> Response:
    assessment = assessor(request, session, user).correct(find(session, identifier), changes, reason)
    return RedirectResponse(f"/assessments/{assessment.id}", 303)


@router.post("/assessments/{identifier}/head-circumference")
def correct(
    request: Request,
    identifier: int,
    user: Clinician,
    session: Database,
    head_circumference_mm: Annotated[str, Form(max_length=12)],
    reason: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Replace the measurement of the model by a typed one; both stay stored."""
    try:
        typed = float(head_circumference_mm.replace(",", "."))
    except ValueError:
        raise Problem(422, f"head circumference {head_circumference_mm!r} is not a number") from None
    return _corrected(request, user, session, identifier, {"head_circumference_mm": typed}, reason)


@router.post("/assessments/{identifier}/time")
def correct_time(
    request: Request,
    identifier: int,
    user: Clinician,
    session: Database,
    kind: Annotated[str, Form(max_length=4)],
    performed_at: Annotated[str, Form(max_length=40)],
    reason: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Correct the time of the CTG or the scan; the time that the file states stays stored."""
    try:
        body = TimeRequest.model_validate({"kind": kind, "performed_at": moment_of(performed_at), "reason": reason})
    except ValidationError as error:
        raise Problem(422, f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None
    amended = redate(assessor(request, session, user), find(session, identifier), body)
    return RedirectResponse(f"/assessments/{amended.id}", 303)


@router.get("/assessments/{identifier}/add")
def show_additions(request: Request, identifier: int, user: Clinician, session: Database) -> Response:
    """The form for what was left out of an assessment."""
    return render(request, "add.html", {"assessment": find(session, identifier), "error": None, **CHOICES})


@router.post("/assessments/{identifier}/add")
async def additions(request: Request, identifier: int, user: Clinician) -> Response:
    """Assess again with what was left out; a refusal keeps the form."""

    def amend(parsed: AssessmentRequest, uploads: Uploads) -> int:
        with unit_of_work(request.app.state.sessions) as session:
            return add(assessor(request, session, user), find(session, identifier), parsed, uploads).id

    def again(error: str) -> Response:
        with unit_of_work(request.app.state.sessions) as session:
            values = {"assessment": find(session, identifier), "error": error, **CHOICES}
            return render(request, "add.html", values, 422)

    return await _answered(request, amend, again)


@router.post("/assessments/{identifier}/outline")
def correct_outline(
    request: Request, identifier: int, user: Clinician, session: Database, form: Annotated[OutlineForm, Form()]
) -> Response:
    """Replace the outline of the model by a drawn one; both stay stored."""
    return _corrected(request, user, session, identifier, outline_of(form, user), form.reason)


@router.post("/assessments/{identifier}/scale")
def correct_scale(
    request: Request,
    identifier: int,
    user: Clinician,
    session: Database,
    reason: Annotated[str, Form(max_length=400)],
    image: Annotated[int, Form()] = 0,
    pixel_size_mm: Annotated[str, Form(max_length=12)] = "",
    calliper: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """State the scale of an image: a pixel size, or the ends and the length of a line over it."""
    values = {"pixel_size_mm": pixel_size_mm or None, "calliper": calliper.split(",") if calliper else None}
    try:
        stated = ScaleRequest.model_validate({"image": image, "reason": reason, **values})
    except ValidationError as error:
        raise Problem(422, f"scale: {error.errors()[0]['msg']}") from None
    changes = scale_of(stated, find(session, identifier).scan)
    return _corrected(request, user, session, identifier, changes, reason)
