"""Scans: from what was sent to what is stored, and from what is stored to what the models judge.

Only grey values are stored, as PNG without metadata and under a name of ours: a DICOM header, an Exif block, a
file name and everything outside the ultrasound region stay behind.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments.schemas import ScanRequest
from app.assessments.store import CURRENT, Assessment
from app.patients.store import Examination, Fetus, StoredFile
from app.recent import Recent
from models.bundle import Bundle
from models.errors import FetalHealthError, InputError
from models.fusion.growth import SCALE_UNKNOWN, measure_scan
from models.fusion.inputs import Outline, ScanImage, ScanInput
from models.growth.amniotic_fluid import amniotic_fluid
from models.growth.assessment import AGE_SD_DAYS, Age, Visit
from models.growth.dating import by_scan
from models.growth.dopplers import INDICES, Dopplers
from models.growth.measures import EFW, RANGES
from models.growth.verdict import OtherFetus
from models.growth.weight import INTERGROWTH_2020
from models.origin import Origin
from models.ultrasound import formats
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.formats import MAX_IMAGES, pictures
from models.ultrasound.gate import Traits
from models.ultrasound.image import Scale, UltrasoundImage
from models.version import code_version

# Ways of dating that leave no doubt of the age.
FIRST_TRIMESTER = {"crown-rump length", "assisted conception"}
# The scale of an image is stored beside it, not in the words of the request.
NOT_STORED = {"performed_at", "performed_at_reason", "gestational_age", "pixel_size_mm", "calliper", "frame"}
Heads = tuple[HeadEllipse, ...]
_pixels: WeakKeyDictionary[StoredFile, NDArray[np.uint8]] = WeakKeyDictionary()
# Only for an assessment that follows the check of the same images; a head takes far less than the kilobyte assumed.
_recent: Recent[HeadEllipse] = Recent(max_count=64, max_bytes=64 * 1024, size_of=lambda head: 1024)


def forget() -> None:
    """Empty the memory of recent heads, as a restart does."""
    _recent.clear()


def parameters_of(request: ScanRequest) -> dict[str, Any]:
    """What is stored of a scan request beside its images."""
    return request.model_dump(mode="json", exclude=NOT_STORED, exclude_none=True)


def entered(
    request: ScanRequest, files: Mapping[str, bytes]
) -> tuple[list[StoredFile], dict[str, Any], dict[str, Origin]]:
    """Images as they are stored, what is stored beside them, and the origin of each file.

    Raises
    ------
    FetalHealthError
        A file is no image that can be measured; nothing is stored then.
    """
    scale = Scale(request.pixel_size_mm, request.calliper)
    if len(files) > MAX_IMAGES:
        raise InputError(f"{len(files)} files; one examination takes at most {MAX_IMAGES} images")
    by_file = {name: formats.read(name, content, scale, request.frame) for name, content in files.items()}
    images = [image for group in by_file.values() for image in group]
    if len(images) > MAX_IMAGES:
        raise InputError(f"{len(images)} images; one examination takes at most {MAX_IMAGES}")
    if not images:
        scale.stated()  # a scale without an image is still checked
    stored, scales = [], []
    for number, image in enumerate(images, start=1):
        content = formats.as_png(image)
        stored.append(StoredFile(name=f"scan-{number}.png", sha256=sha256(content).hexdigest(), content=content))
        _pixels[stored[-1]] = image.pixels
        scales.append({"pixel_size_mm": image.pixel_size_mm, "source": image.scale_source})
    remarks = list(dict.fromkeys(remark for image in images for remark in image.remarks))
    return (
        stored,
        {"scales": scales, "file_remarks": remarks},
        {name: group[0].origin for name, group in by_file.items()},
    )


def images_of(examination: Examination) -> list[UltrasoundImage]:
    """The stored images with their scales."""
    parameters = examination.parameters
    before = {"pixel_size_mm": parameters.get("pixel_size_mm"), "source": "typed"}  # stored by an earlier version
    scales = parameters.get("scales") or [before] * len(examination.files)
    return [
        UltrasoundImage(_pixels_of(file), scale["pixel_size_mm"], scale["source"])
        for file, scale in zip(examination.files, scales, strict=True)
    ]


def _pixels_of(file: StoredFile) -> NDArray[np.uint8]:
    """The pixels of a stored image, which is decoded once as long as it is in memory."""
    if file not in _pixels:
        _pixels[file] = pictures.read(file.name, file.content)
    return _pixels[file]


def head_of(bundle: Bundle, image: UltrasoundImage, *, afresh: bool = False) -> HeadEllipse:
    """The head in an image, or what was found in the same pixels with the same bundle a moment ago.

    Parameters
    ----------
    afresh : bool
        Segment the image in any case.
    """
    if afresh:
        return bundle.segmenter.head(image.pixels)
    key = (sha256(image.pixels.tobytes()).hexdigest(), image.pixels.shape, bundle.identifier)
    return _recent.get(key, lambda: bundle.segmenter.head(image.pixels))


def heads_of(bundle: Bundle, examination: Examination, *, afresh: bool = False) -> Heads:
    """The head in each image of a scan."""
    return tuple(head_of(bundle, image, afresh=afresh) for image in images_of(examination))


def stored_heads(assessment: Assessment, bundle: Bundle) -> Heads | None:
    """The heads that an earlier assessment found in its images; None where they must be found again.

    That is so where the bundle or the version of the code differ.
    """
    lines = assessment.result["growth"]["detail"].get("images", [])
    same = (assessment.bundle, assessment.code_version) == (bundle.identifier, code_version())
    if not same or assessment.scan is None or len(lines) != len(assessment.scan.files):
        return None
    return tuple(stored_head(line) for line in lines)


def stored_head(line: Mapping[str, Any]) -> HeadEllipse:
    """A head from one line of a result's images; a missing scale is no refusal of the head itself."""
    ellipse, traits, refusal = line.get("ellipse"), line.get("traits"), line["refusal"]
    return HeadEllipse(
        ellipse=Ellipse(**ellipse) if ellipse else None,
        traits=Traits(**traits) if traits else None,
        refusal=None if refusal == SCALE_UNKNOWN else refusal,
    )


def scan_input_of(session: Session, examination: Examination, heads: Heads) -> ScanInput:
    """Images with the heads found in them, what was typed and corrected, and the earlier visits."""
    parameters = examination.parameters
    images = tuple(ScanImage(image, head) for image, head in zip(images_of(examination), heads, strict=True))
    age = None
    if examination.gestational_age_days is not None:
        derived = tuple(parameters.get("age_derived_from", ()))
        precise = examination.fetus.pregnancy.dating_method in FIRST_TRIMESTER
        age = Age(examination.gestational_age_days, examination.age_source, AGE_SD_DAYS, derived, precise)
    return ScanInput(
        images=images,
        outline=_outline(parameters.get("outline")),
        typed={measure: parameters[measure] for measure in RANGES if parameters.get(measure) is not None},
        age=age,
        weight_standard=parameters.get("weight_standard", INTERGROWTH_2020.key),
        dopplers=Dopplers.stated(
            {index: parameters.get(field) for index, (field, *_) in INDICES.items()},
            {index: parameters.get(f"{index}_centile") for index in INDICES},
            parameters.get("umbilical_end_diastolic_flow"),
            parameters.get("ductus_venosus_a_wave"),
        ),
        visits=_visits_before(session, examination),
        congenital_anomaly=parameters.get("congenital_anomaly"),
        fluid=amniotic_fluid(parameters.get("amniotic_fluid"), parameters.get("deepest_pocket_mm")),
        others=_other_fetuses(session, examination),
    )


def _outline(values: Mapping[str, Any] | None) -> Outline | None:
    if values is None:
        return None
    return Outline(values["image"], Ellipse(**values["ellipse"]), values["by"], values["at"])


def _visits_before(session: Session, examination: Examination) -> tuple[Visit, ...]:
    """Centiles of earlier scans of this fetus, by the last assessment of each that no correction replaced."""
    query = (
        # The growth alone: a whole result holds its trace's events too.
        select(Assessment.scan_id, Assessment.result[("growth", "detail", "growth")])
        .join(Assessment.scan)
        .where(Assessment.fetus_id == examination.fetus.id, Examination.performed_at < examination.performed_at)
        .where(CURRENT)
        .order_by(Assessment.id)
    )
    last: dict[int | None, Visit] = {}
    for scan, growth in session.execute(query):
        if growth and "sizes" in growth:  # not where nothing was judged, nor in one stored by an earlier version
            last[scan] = Visit(growth["age_days"], {size["measure"]: size["centile"] for size in growth["sizes"]})
    return tuple(last.values())


def _other_fetuses(session: Session, examination: Examination) -> tuple[OtherFetus, ...]:
    """The other fetuses of this pregnancy with their weights, as stated with this scan or from the nearest one."""
    stated = examination.parameters.get("other_fetus_weight_g")
    own = examination.fetus
    others = [fetus for fetus in own.pregnancy.fetuses if fetus.label != own.label]
    if stated is not None:
        return (OtherFetus(others[0].label if len(others) == 1 else "beside it", stated),)
    return tuple(_nearest_weight(session, fetus, examination) for fetus in others)


def _nearest_weight(session: Session, fetus: Fetus, examination: Examination) -> OtherFetus:
    query = (
        select(Examination.performed_at, Assessment.result[("growth", "detail", "growth")])
        .join(Assessment.scan)
        .where(Assessment.fetus_id == fetus.id, CURRENT)
        .order_by(Assessment.id)
    )
    nearest: OtherFetus | None = None
    for performed_at, growth in session.execute(query):
        sizes = growth.get("sizes", []) if growth else []
        weight = next((size["value"] for size in sizes if size["measure"] == EFW), None)
        days = abs((performed_at.date() - examination.performed_at.date()).days)
        if weight is not None and (nearest is None or days <= nearest.days):
            nearest = OtherFetus(fetus.label, weight, days)
    return nearest or OtherFetus(fetus.label)


def date_by(session: Session, bundle: Bundle, examination: Examination, heads: Heads) -> None:
    """Date the pregnancy by this scan's head (and femur) and lock the date.

    Raises
    ------
    FetalHealthError
        The pregnancy is dated already, or the scan gives no head circumference.
    """
    pregnancy = examination.fetus.pregnancy
    if pregnancy.due_date is not None or examination.gestational_age_days is not None:
        raise FetalHealthError("an age is known already; a scan dates only a pregnancy without one")
    measurements = measure_scan(bundle, scan_input_of(session, examination, heads))
    values = {name: measure.value for name, measure in measurements.measures.items()}
    if not values:
        reason = measurements.refusal or "no head circumference"
        raise InputError(f"the scan cannot date the pregnancy: {reason}")
    dating = by_scan(values, examination.performed_at.date())
    pregnancy.due_date, pregnancy.dating_method = dating.due_date, dating.method
    examination.gestational_age_days = round(dating.age_days)
    examination.age_source = (
        f"this scan's {' and '.join(m.removesuffix('_mm').replace('_', ' ') for m in dating.measures)}"
    )
    examination.parameters = {**examination.parameters, "age_derived_from": list(dating.measures)}
