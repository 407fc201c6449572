"""What is shown of chosen files before they are assessed; nothing is stored."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.accounts.guards import Clinician
from app.assessments.forms import read_files
from app.assessments.scans import head_of
from app.assessments.traces import of_channel
from app.assessments.view import summary
from app.database import unit_of_work
from app.pages import render
from models.bundle import Bundle
from models.ctg import formats as ctg_formats
from models.ctg.reading import read
from models.ctg.strip import thumbnail_svg
from models.ctg.summary import trace_detail
from models.errors import FetalHealthError
from models.ultrasound import formats as image_formats

router = APIRouter(include_in_schema=False)


@router.post("/check/ctg")
async def check_ctg(request: Request, user: Clinician) -> Response:
    """Duration, signal loss and a thumbnail of a chosen CTG."""
    form = await request.form()
    files = await read_files(form, "ctg")
    rate, channel = str(form.get("ctg_sampling_rate_hz") or ""), str(form.get("ctg_channel") or "")
    return render(request, "check.html", await run_in_threadpool(preview_ctg, files, rate, channel))


@router.post("/check/image")
async def check_image(request: Request, user: Clinician) -> Response:
    """Size and scale of chosen images, and whether a head is found in each."""
    files = await read_files(await request.form(), "image")

    def preview() -> dict[str, Any]:
        with unit_of_work(request.app.state.sessions) as session:
            bundle = request.app.state.bundle.get(session)
        return preview_images(files, bundle)

    return render(request, "check.html", await run_in_threadpool(preview))


def preview_ctg(files: Mapping[str, bytes], rate: str, channel: str) -> dict[str, Any]:
    """Values of the template: the summary of the chosen channel, or why the files cannot be read."""
    try:
        rate_hz = float(rate) if rate else None
        recordings = ctg_formats.read_all(files, rate_hz)
    except (FetalHealthError, ValueError) as error:
        return {"error": str(error), "svg": None, "text": None}
    recording = next((each for each in recordings if str(each.channel) == channel), recordings[0])
    _, analysis = of_channel(files, rate_hz, recording, bool(channel) or len(recordings) > 1)
    text = f"{recording.source}, {recording.duration_s / 60:.0f} min at {recording.sampling_rate_hz:g} Hz. "
    if len(recordings) > 1:
        text += f"The file holds two fetal heart rates; this is channel {recording.channel}. Choose the one to assess. "
    reading = read(analysis, recording.stage)
    detail = trace_detail(analysis, reading, recording.stage, ())
    return {
        "error": analysis.quality.refusal,
        "text": text + summary(detail),
        "svg": thumbnail_svg(recording),
    }


def preview_images(files: Mapping[str, bytes], bundle: Bundle) -> dict[str, Any]:
    """Values of the template: one sentence for each image, or why a file cannot be read."""
    lines = []
    try:
        images = [image for name, content in files.items() for image in image_formats.read(name, content)]
        for number, image in enumerate(images, start=1):
            head = head_of(bundle, image)
            scale = f"{image.pixel_size_mm:.4g} mm per pixel" if image.pixel_size_mm else "no scale in the file"
            finding = head.refusal or "a fetal head was found"
            lines.append(f"Image {number}: {image.width} x {image.height} pixels, {scale}, {finding}.")
    except FetalHealthError as error:
        return {"error": str(error), "svg": None, "text": None}
    return {"error": None if images else "no image was chosen", "text": " ".join(lines), "svg": None}
