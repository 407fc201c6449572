"""Pages of assessments: worklist, new assessment, result, review, correction and signature."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Form, Query, Request
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.accounts.guards import Clinician, Reviewer, Signer, User
from app.assessments import jobs, store
from app.assessments import review as review_
from app.assessments.forms import moment_of, read_files, read_request
from app.assessments.schemas import AssessmentRequest, MoveForm, OutlineForm, ScaleRequest, TimeRequest, Uploads
from app.assessments.store import find
from app.assessments.traces import marks_of, recording_of
from app.assessments.view import SHAPES, context
from app.assessments.withdrawal import withdraw
from app.audit.store import record
from app.errors import NotFoundError, Problem
from app.forms import form_of
from app.pages import render
from app.paging import After
from app.patients.schemas import DatingMethod
from app.patients.service import UnknownPatientError
from app.patients.store import hold
from app.sessions import Database
from app.texts import Day, Number, day_of
from app.transactions import unit_of_work
from models.ctg.strip import thin
from models.errors import FetalHealthError
from models.fusion.state import STATES
from models.growth.weight import WEIGHT
from models.ultrasound import formats as image_formats
from models.ultrasound.image import UltrasoundImage

router = APIRouter(include_in_schema=False)
Value = TypeVar("Value")
CHOICES = {
    "methods": DatingMethod.__args__,  # type: ignore[attr-defined]
    "weight_standards": {key: standard.name for key, standard in WEIGHT.items()},
}


async def worked(request: Request, job: Callable[..., Value], *values: Any) -> Value:
    """The value of a worker's job."""
    return await asyncio.wrap_future(request.app.state.workers.submit(job, *values))


@router.get("/")
def worklist(
    request: Request,
    user: Clinician,
    session: Database,
    state: Annotated[str, Query(max_length=20)] = "",
    search: Annotated[str, Query(max_length=80)] = "",
    mine: bool = False,
    reviewed: Annotated[str, Query(pattern="^(yes|no|)$")] = "",
    since: Day = "",
    until: Day = "",
    after: After = "",
) -> Response:
    """The worklist; htmx asks for its table alone."""
    filters = store.Filters(
        state=state,
        search=search,
        by=user.name if mine else "",
        reviewed={"yes": True, "no": False}.get(reviewed),
        since=day_of("since", since),
        until=day_of("until", until),
    )
    page = store.worklist(session, filters, after)
    shown = [row.id for row in page.rows]
    record(session, user, "worklist.read", fold=True, state=state, search=search, mine=mine, shown=shown)
    chosen = {"state": state, "search": search, "mine": mine, "reviewed": reviewed, "since": since, "until": until}
    values = {"page": page, "next": page.next_of(request), "shapes": SHAPES, "states": STATES, **chosen}
    parameters = {name: value for name, value in request.query_params.items() if value}
    values["here"] = f"/?{urlencode(parameters)}"
    partial = request.headers.get("hx-request") == "true"
    return render(request, "worklist_table.html" if partial else "worklist.html", values)


@router.get("/assessments/new")
def new(request: Request, user: Clinician, patient: Annotated[str, Query(max_length=80)] = "") -> Response:
    """The form for a new assessment."""
    return render(request, "new_assessment.html", {"patient": patient, "form": {}, **CHOICES})


@router.post("/assessments/new")
async def create(request: Request, user: Clinician) -> Response:
    """Assess what the form sends; a refusal shows the form again with what was typed."""

    form = await form_of(request)
    typed = {name: value for name, value in form.items() if isinstance(value, str)}

    def again(error: str, similar: list[str]) -> Response:
        asked = {"error": f"{error} Nothing was stored; choose the files again.", "similar": similar}
        values = {"patient": typed.get("patient", ""), "form": typed, **asked, **CHOICES}
        return render(request, "new_assessment.html", values, 422)

    return await _answered(request, partial(worked, request, jobs.create, user), again)


async def _answered(
    request: Request,
    assess: Callable[[AssessmentRequest, Uploads], Awaitable[int]],
    again: Callable[[str, list[str]], Response],
) -> Response:
    """To the new assessment, or the refusal: inside the page where a script sent the form, which keeps its files."""
    by_script = request.headers.get("hx-request") == "true"
    try:
        parsed, uploads = await read_request(request)
        identifier = await assess(parsed, uploads)
    except FetalHealthError as error:
        line = f"{str(error).rstrip('.')}."
        similar = error.similar if isinstance(error, UnknownPatientError) else []
        if by_script:
            asked = {"error": f"{line} Nothing was stored; the files stay chosen.", "similar": similar}
            return render(request, "refusal.html", asked, 422)
        return await run_in_threadpool(again, line, similar)
    if by_script:
        return Response(status_code=201, headers={"HX-Redirect": f"/assessments/{identifier}"})
    return RedirectResponse(f"/assessments/{identifier}", 303)


@router.get("/assessments/{identifier}")
def show(request: Request, identifier: Number, user: Clinician, session: Database) -> Response:
    """The result page."""
    assessment = find(session, identifier)
    record(session, user, "assessment.read", woman=assessment.woman, fold=True, assessment=identifier)
    return render(request, "assessment.html", context(session, assessment))


@router.get("/assessments/{identifier}/trace")
def trace(identifier: Number, user: Clinician, session: Database) -> Response:
    """The trace as arrays, for the browser to draw; lost samples are null."""
    assessment = find(session, identifier)
    recording, marks = recording_of(assessment.ctg), marks_of(assessment)
    if recording is None or marks is None:
        raise NotFoundError(f"a raw trace of assessment {identifier}")
    record(session, user, "trace.read", woman=assessment.woman, fold=True, assessment=identifier)
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
def image(identifier: Number, number: int, user: Clinician, session: Database) -> Response:
    """One image of the scan (from 1), as stored: grey values without metadata."""
    assessment = find(session, identifier)
    files = assessment.scan.files if assessment.scan else []
    if not 1 <= number <= len(files):
        raise NotFoundError(f"image {number} of assessment {identifier}")
    record(session, user, "image.read", woman=assessment.woman, fold=True, assessment=identifier)
    pixels = image_formats.pictures.read(files[number - 1].name, files[number - 1].content)
    return Response(image_formats.as_png(UltrasoundImage(pixels)), media_type="image/png")


def _change(session: Session, identifier: int, seen: str) -> store.Assessment:
    """The assessment, held until the end of the transaction.

    Raises
    ------
    Problem
        409: somebody reviewed it since the page was loaded.
    """
    hold(session, find(session, identifier).woman)
    assessment = find(session, identifier)
    news = review_.since(assessment, int(seen)) if seen.isdecimal() else ""
    if news:
        raise Problem(409, f"{news} meanwhile. Nothing was stored; look at the page again.")
    return assessment


def _changed(session: Session, user: User, assessment: store.Assessment, action: str, **detail: Any) -> Response:
    record(session, user, action, woman=assessment.woman, assessment=assessment.id, **detail)
    return RedirectResponse(f"/assessments/{assessment.id}", 303)


Seen = Annotated[str, Form(max_length=9)]


@router.post("/assessments/{identifier}/review")
def review(
    identifier: Number,
    user: Reviewer,
    session: Database,
    verdict: Annotated[str, Form(max_length=12)],
    reason: Annotated[str, Form(max_length=80)] = "",
    text: Annotated[str, Form(max_length=4000)] = "",
    seen: Seen = "",
) -> Response:
    """Record that a clinician agrees, disagrees with a reason, or cannot tell."""
    assessment = _change(session, identifier, seen)
    review_.review(session, assessment, verdict, reason, text, user)
    return _changed(session, user, assessment, "assessment.review", verdict=verdict)


@router.post("/assessments/{identifier}/sign")
def sign(identifier: Number, user: Signer, session: Database, seen: Seen = "") -> Response:
    """Sign an assessment."""
    assessment = _change(session, identifier, seen)
    review_.sign(session, assessment, user)
    return _changed(session, user, assessment, "assessment.sign")


def withdrawn(session: Session, user: User, assessment: store.Assessment, reason: str) -> None:
    """Mark as entered in error, and say so in the audit."""
    hold(session, assessment.woman)
    numbers = withdraw(session, assessment, reason, user)
    record(session, user, "assessment.withdraw", woman=assessment.woman, assessments=numbers, reason=reason.strip())


@router.post("/assessments/{identifier}/entered-in-error")
def enter_in_error(
    identifier: Number, user: Clinician, session: Database, reason: Annotated[str, Form(max_length=300)] = ""
) -> Response:
    """Mark an assessment as entered in error: it counts nowhere, and stays in the record."""
    withdrawn(session, user, find(session, identifier), reason)
    return _to(identifier)


@router.post("/assessments/{identifier}/move")
async def move(request: Request, identifier: Number, user: Clinician, form: Annotated[MoveForm, Form()]) -> Response:
    """Assess the same examinations for another woman or fetus."""
    return _to(await worked(request, jobs.move, user, identifier, form))


@router.post("/assessments/{identifier}/notes")
def add_note(
    identifier: Number, user: Reviewer, session: Database, text: Annotated[str, Form(max_length=4000)] = ""
) -> Response:
    """Add a note."""
    assessment = _change(session, identifier, "")
    review_.note(session, assessment, text, user)
    return _changed(session, user, assessment, "assessment.note")


def _to(identifier: Number) -> Response:
    return RedirectResponse(f"/assessments/{identifier}", 303)


@router.post("/assessments/{identifier}/head-circumference")
async def correct(
    request: Request,
    identifier: Number,
    user: Clinician,
    head_circumference_mm: Annotated[str, Form(max_length=12)],
    reason: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Replace the measurement of the model by a typed one; both stay stored."""
    try:
        typed = float(head_circumference_mm.replace(",", "."))
    except ValueError:
        raise Problem(422, f"head circumference {head_circumference_mm!r} is not a number") from None
    changes = {"head_circumference_mm": typed}
    return _to(await worked(request, jobs.correct, user, identifier, changes, reason))


@router.post("/assessments/{identifier}/time")
async def correct_time(
    request: Request,
    identifier: Number,
    user: Clinician,
    kind: Annotated[str, Form(max_length=4)],
    performed_at: Annotated[str, Form(max_length=40)],
    reason: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Correct the time of the CTG or the scan; the time that the file states stays stored."""
    try:
        body = TimeRequest.model_validate({"kind": kind, "performed_at": moment_of(performed_at), "reason": reason})
    except ValidationError as error:
        raise Problem(422, f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}") from None
    return _to(await worked(request, jobs.correct_time, user, identifier, body))


@router.get("/assessments/{identifier}/add")
def show_additions(request: Request, identifier: Number, user: Clinician, session: Database) -> Response:
    """The form for what was left out of an assessment."""
    return render(request, "add.html", {"assessment": find(session, identifier), "error": None, **CHOICES})


@router.post("/assessments/{identifier}/add")
async def additions(request: Request, identifier: Number, user: Clinician) -> Response:
    """Assess again with what was left out; a refusal keeps the form."""

    def again(error: str, similar: list[str]) -> Response:
        with unit_of_work(request.app.state.sessions) as session:
            values = {"assessment": find(session, identifier), "error": error, **CHOICES}
            return render(request, "add.html", values, 422)

    return await _answered(request, partial(worked, request, jobs.add, user, identifier), again)


@router.post("/assessments/{identifier}/outline")
async def correct_outline(
    request: Request, identifier: Number, user: Clinician, form: Annotated[OutlineForm, Form()]
) -> Response:
    """Replace the outline of the model by a drawn one; both stay stored."""
    return _to(await worked(request, jobs.correct_outline, user, identifier, form))


@router.post("/assessments/{identifier}/scale")
async def correct_scale(
    request: Request,
    identifier: Number,
    user: Clinician,
    reason: Annotated[str, Form(max_length=400)],
    image: Annotated[int, Form(ge=0, le=7)] = 0,
    pixel_size_mm: Annotated[str, Form(max_length=12)] = "",
    calliper: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """State the scale of an image: a pixel size, or the ends and the length of a line over it."""
    values = {"pixel_size_mm": pixel_size_mm or None, "calliper": calliper.split(",") if calliper else None}
    try:
        stated = ScaleRequest.model_validate({"image": image, "reason": reason, **values})
    except ValidationError as error:
        raise Problem(422, f"scale: {error.errors()[0]['msg']}") from None
    return _to(await worked(request, jobs.correct_scale, user, identifier, stated))


@router.post("/check/ctg")
async def check_ctg(request: Request, user: Clinician) -> Response:
    """Time, person, duration, signal loss and a thumbnail of a chosen CTG; nothing is stored."""
    return await _checked(request, "ctg", jobs.check_ctg)


@router.post("/check/image")
async def check_image(request: Request, user: Clinician) -> Response:
    """Size, scale, time and person of chosen images, and the head in each with its measure; nothing is stored."""
    return await _checked(request, "image", jobs.check_image)


async def _checked(request: Request, field: str, job: Callable[..., dict[str, Any]]) -> Response:
    form = await form_of(request)
    typed = {name: value.strip() for name, value in form.items() if isinstance(value, str) and value.strip()}
    return render(request, "check.html", await worked(request, job, await read_files(form, field), typed))
