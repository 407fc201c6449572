"""What is shown of chosen files before they are assessed; nothing is stored."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from sqlalchemy.orm import Session

from app.assessments.examined import identity_of, marks, one_scan, time_words
from app.assessments.scans import head_of
from app.assessments.traces import analysis_of
from app.assessments.view import summary
from app.patients.store import Woman, woman_by_pseudonym
from models.bundle import Bundle
from models.ctg import formats as ctg_formats
from models.ctg.reading import read
from models.ctg.recording import CtgRecording
from models.ctg.strip import thumbnail_svg
from models.ctg.summary import trace_detail
from models.errors import FetalHealthError
from models.growth.measures import HC
from models.origin import Origin
from models.ultrasound import formats as image_formats
from models.ultrasound.biometry import HeadEllipse, measure
from models.ultrasound.image import Scale, UltrasoundImage
from models.ultrasound.overlay import draw

THUMBNAIL = (360, 260)
IDENTITY = {
    "matches": "The file names the woman of her earlier files.",
    "differs": "The file names another woman than her earlier files: give a reason if it is hers.",
    "unknown": "The file says of whom it is; there is no earlier file of this woman to compare it with.",
}


@dataclass(frozen=True)
class Context:
    """What chosen files are compared with: the woman whose pseudonym is typed, if she is known.

    Attributes
    ----------
    session : Session
    woman : Woman or None
    key : bytes
        Of the marks of identities.
    """

    session: Session
    woman: Woman | None
    key: bytes

    @classmethod
    def of(cls, session: Session, typed: Mapping[str, str], key: bytes) -> "Context":
        """The context of what was typed."""
        patient = typed.get("patient", "")
        return cls(session, woman_by_pseudonym(session, patient) if patient else None, key)

    def lines(self, kind: str, origins: Sequence[Origin]) -> list[str]:
        """What the files say of time and person."""
        pregnancy = self.woman.pregnancies[-1] if self.woman else None
        stated = marks(self.key, origins)
        comparison = identity_of(self.session, self.woman, stated) if self.woman else "unknown"
        words = [IDENTITY[comparison]] if stated else ["The file does not say of whom it is."]
        return [time_words(kind, origins, pregnancy), *words]


def preview_ctg(files: Mapping[str, bytes], typed: Mapping[str, str], context: Context) -> dict[str, Any]:
    """Values of the template: the summary of the chosen channel, or why the files cannot be read."""
    if not files:
        return {"error": None}
    try:
        rate = typed.get("ctg_sampling_rate_hz")
        columns = ctg_formats.column_map(typed.get("ctg_columns"))
        recordings = ctg_formats.read_all(files, float(rate.replace(",", ".")) if rate else None, columns)
    except ValueError:
        return {"error": f"sampling rate {typed['ctg_sampling_rate_hz']!r} is not a number"}
    except FetalHealthError as error:
        return {"error": str(error)}
    chosen = typed.get("ctg_channel", "")
    recording = next((each for each in recordings if str(each.channel) == chosen), recordings[0])
    _, analysis = analysis_of(recording)
    stage = typed.get("ctg_stage", "unknown")
    stage = recording.stage if stage == "unknown" else stage
    detail = trace_detail(analysis, read(analysis, stage), stage, ())
    return {
        "error": analysis.quality.refusal,
        "text": f"{_contents(recordings, recording)} {summary(detail)}",
        "lines": [*context.lines("ctg", [recording.origin]), *(f"{remark}." for remark in recording.remarks)],
        "svg": thumbnail_svg(recording),
    }


def _contents(recordings: Sequence[CtgRecording], shown: CtgRecording) -> str:
    present = ["fetal heart rate" if len(recordings) == 1 else "two fetal heart rates"]
    present += ["tocogram"] if shown.toco is not None else []
    present += ["maternal heart rate"] if shown.mhr_bpm is not None else []
    words = f"{shown.source}, {shown.duration_s / 60:.0f} min at {shown.sampling_rate_hz:g} Hz: {', '.join(present)}."
    if len(recordings) > 1:
        words += f" This is channel {shown.channel}. Choose the one to assess."
    return words


def preview_images(
    files: Mapping[str, bytes], typed: Mapping[str, str], context: Context, bundle: Bundle
) -> dict[str, Any]:
    """Values of the template: one sentence and one picture for each image, or why a file cannot be read."""
    if not files:
        return {"error": "no image was chosen"}
    lines, pictures = [], []
    heads: list[HeadEllipse] = []
    if len(files) > image_formats.MAX_IMAGES:
        return {"error": f"{len(files)} files; one examination takes at most {image_formats.MAX_IMAGES} images"}
    try:
        size = typed.get("pixel_size_mm")
        scale = Scale(float(size.replace(",", ".")) if size else None)
        frame = int(typed["frame"]) if typed.get("frame") else None
        by_file = {name: image_formats.read(name, content, scale, frame) for name, content in files.items()}
        origins = {name: images[0].origin for name, images in by_file.items()}
        remarks = one_scan(origins)
        for number, image in enumerate((image for images in by_file.values() for image in images), start=1):
            head = head_of(bundle, image)
            pixels = f"{image.pixel_size_mm:.4g} mm per pixel" if image.pixel_size_mm else "no scale in the file"
            lines.append(
                f"Image {number}: {image.width} x {image.height} pixels, {pixels}, {_finding(image, head, bundle)}."
            )
            pictures.append(_picture(image, head))
            heads.append(head)
            remarks += [remark for remark in image.remarks if remark not in remarks]
        lines += _clearest(heads)
    except ValueError:
        return {"error": "pixel size and frame of a clip must be numbers"}
    except FetalHealthError as error:
        return {"error": str(error)}
    notes = [*context.lines("scan", list(origins.values())), *(f"{remark}." for remark in remarks)]
    return {"error": None, "text": " ".join(lines), "lines": notes, "pictures": pictures}


def _finding(image: UltrasoundImage, head: HeadEllipse, bundle: Bundle) -> str:
    if head.refusal is not None or head.ellipse is None:
        return head.refusal or "no head was found"
    if image.pixel_size_mm is None:
        return "a fetal head was found; its size needs a scale"
    measured = measure(head.ellipse, image.pixel_size_mm, bundle.intervals)
    return f"a fetal head was found: circumference {measured.measured()[HC].value:.0f} mm"


def _clearest(heads: Sequence[HeadEllipse]) -> list[str]:
    """Of several images the one whose outline changes least when the image is mirrored."""
    spread = {k: head.traits.spread for k, head in enumerate(heads, start=1) if head.traits and head.refusal is None}
    if len(heads) < 2 or not spread:
        return []
    return [f"The clearest outline is that of image {min(spread, key=lambda k: spread[k])}."]


def _picture(image: UltrasoundImage, head: HeadEllipse) -> str:
    """The image with its outline, small, as a data address."""
    with Image.open(io.BytesIO(draw(image, head))) as whole:
        whole.thumbnail(THUMBNAIL)
        stream = io.BytesIO()
        whole.save(stream, "PNG")
    return f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"
