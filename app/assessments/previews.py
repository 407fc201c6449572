"""What is said of chosen files before they are sent; nothing is stored."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.accounts.guards import Clinician
from app.assessments.scans import head_of
from app.assessments.traces import analysis_of
from app.assessments.view import summary
from app.database import unit_of_work
from app.pages import render
from models.ctg import formats as ctg_formats
from models.ctg.strip import thumbnail_svg
from models.ctg.summary import trace_detail
from models.errors import FetalHealthError
from models.ultrasound import formats as image_formats

router = APIRouter(include_in_schema=False)


@router.post("/check/ctg")
async def check_ctg(request: Request, user: Clinician) -> Response:
    """Duration, loss and a thumbnail of a chosen CTG; nothing is stored."""
    form = await request.form()
    files = {f.filename or "": await f.read() for f in form.getlist("ctg") if not isinstance(f, str)}
    rate = str(form.get("ctg_sampling_rate_hz") or "")

    def look() -> dict[str, Any]:
        try:
            recordings = ctg_formats.read_all(files, float(rate) if rate else None)
        except (FetalHealthError, ValueError) as error:
            return {"error": str(error), "svg": None, "text": None}
        chosen = next((r for r in recordings if str(r.channel) == form.get("ctg_channel")), recordings[0])
        analysis = analysis_of(chosen)
        text = f"{chosen.source}, {chosen.duration_s / 60:.0f} min at {chosen.sampling_rate_hz:g} Hz. "
        if len(recordings) > 1:
            text += f"Two fetal heart rates; this is channel {chosen.channel}: choose the one to assess. "
        return {
            "error": analysis.quality.refusal,
            "text": text + summary(trace_detail(analysis, chosen.stage)),
            "svg": thumbnail_svg(chosen),
        }

    return render(request, "check.html", await run_in_threadpool(look))


@router.post("/check/image")
async def check_image(request: Request, user: Clinician) -> Response:
    """Size and scale of chosen images and whether a head is found; nothing is stored."""
    form = await request.form()
    chosen = {f.filename or "": await f.read() for f in form.getlist("image") if not isinstance(f, str)}

    def look() -> dict[str, Any]:
        lines = []
        try:
            images = [image for name, content in chosen.items() for image in image_formats.read(name, content)]
            with unit_of_work(request.app.state.sessions) as session:
                bundle = request.app.state.bundle.get(session)
            for number, image in enumerate(images, start=1):
                head = head_of(bundle, image)
                scale = f"{image.pixel_size_mm:.4g} mm a pixel" if image.pixel_size_mm else "no scale in the file"
                verdict = head.refusal or "a fetal head was found"
                lines.append(f"Image {number}: {image.width} x {image.height} pixels, {scale}, {verdict}.")
        except FetalHealthError as error:
            return {"error": str(error), "svg": None, "text": None}
        return {"error": None if images else "no image was chosen", "text": " ".join(lines), "svg": None}

    return render(request, "check.html", await run_in_threadpool(look))
