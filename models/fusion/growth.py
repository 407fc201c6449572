"""The chronic part: from a scan to growth, and the probability that the leading measure is small for its age."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.bundle import Bundle
from models.errors import InputError, RangeError
from models.fusion.inputs import Outline, ScanImage, ScanInput
from models.fusion.part import Part
from models.growth.assessment import GrowthAssessment, assess_growth
from models.growth.dating import ages_by_size
from models.growth.measures import HC, LABELS, Measured, corrected, typed
from models.ultrasound.biometry import HeadMeasurement, axes_mm, combined, measure

# Two images of one head differ by 2.5 % at the median (HC18 references); more than twice that is said.
UNLIKE_IMAGES = 0.05
SCALE_UNKNOWN = "the scale of the image is not known; give the pixel size, or a calliper of known length"


def event_of(leading: str) -> str:
    """What the probability is of."""
    return f"the true {LABELS[leading].lower()} lies below the 3rd centile for the stated age"


@dataclass(frozen=True)
class Findings:
    """What was measured on a scan.

    Attributes
    ----------
    measures : dict of str to Measured
        By measure; empty where nothing could be measured.
    detail : dict
        Images, measurement and correction, for display and JSON.
    warnings : list of str
    """

    measures: dict[str, Measured]
    detail: dict[str, Any]
    warnings: list[str]


def growth_part(bundle: Bundle, scan: ScanInput | None) -> tuple[Part, GrowthAssessment | None, list[str]]:
    """Measure what can be measured, judge it, or say why not; the last item returned are the warnings.

    Raises
    ------
    InputError, RangeError
        A typed value or age is impossible.
    """
    if scan is None or not (scan.images or scan.typed):
        return Part(None, None, event_of(HC), "none was given", {}), None, []
    findings = measured(bundle, scan)
    measures, detail, warnings = findings.measures, findings.detail, findings.warnings

    def refused(reason: str) -> tuple[Part, None, list[str]]:
        return Part(None, None, event_of(HC), reason, detail), None, warnings

    if not measures:
        return refused(detail["refusal"])
    detail["measures"] = {name: asdict(value) for name, value in measures.items()}
    ages = ages_by_size({name: measure.value for name, measure in measures.items()})
    detail["ages"] = [asdict(age) for age in ages]
    if scan.age is None:
        return refused("no gestational age was given for the scan")
    if not 0 < scan.age.days <= 44 * 7:
        raise InputError(f"gestational age {scan.age.days / 7:.1f} weeks is outside 0 to 44 weeks")
    try:
        growth = assess_growth(
            measures, scan.age, scan.weight_standard, scan.dopplers, scan.visits, scan.congenital_anomaly
        )
    except RangeError as error:
        return refused(str(error))
    if growth.leading == HC:
        warnings = [*warnings, "Only the head is known: abdomen, weight and Dopplers define growth restriction."]
    detail["growth"] = asdict(growth)
    size = growth.size
    part = Part(size.probability_small, size.interval_small, event_of(growth.leading), None, detail)
    return part, growth, warnings


def measured(bundle: Bundle, scan: ScanInput) -> Findings:
    """Measures by name: the model's, replaced by a corrected outline's, replaced by what was typed."""
    measures: dict[str, Measured] = {}
    detail: dict[str, Any] = {}
    warnings = []
    if scan.images:
        shown, heads = _heads(bundle, scan.images)
        detail["images"] = shown
        if heads:
            head = combined(heads)
            detail["measurement"] = head.as_dict()
            measures |= head.measured()
            if head.images > 1 and head.spread > UNLIKE_IMAGES:
                warnings.append(
                    f"The images differ by {100 * head.spread:.0f} % in head circumference: check the plane."
                )
        else:
            detail["refusal"] = next(line["refusal"] for line in shown)
        if scan.outline is not None:
            detail["corrected"] = _corrected(scan.outline, scan.images)
            values = detail["corrected"]["values"]
            measures |= {name: corrected(name, value) for name, value in values.items()}
    measures |= {name: typed(name, value) for name, value in scan.typed.items()}
    return Findings(measures, detail, warnings)


def _heads(bundle: Bundle, images: Sequence[ScanImage]) -> tuple[list[dict[str, Any]], list[HeadMeasurement]]:
    """What each image shows, and the measurements of those that can be measured."""
    shown, heads = [], []
    for image in images:
        line: dict[str, Any] = {
            "width": image.pixels.width,
            "height": image.pixels.height,
            "pixel_size_mm": image.pixels.pixel_size_mm,
            "scale_source": image.pixels.scale_source,
            "refusal": image.head.refusal,
        }
        if image.head.ellipse is not None:
            line["ellipse"] = image.head.ellipse.as_dict()
        if image.head.traits is not None:
            line["traits"] = asdict(image.head.traits)
        if image.pixels.pixel_size_mm is None and image.head.refusal is None:
            line["refusal"] = SCALE_UNKNOWN
        if line["refusal"] is None and image.head.ellipse is not None and image.pixels.pixel_size_mm is not None:
            head = measure(image.head.ellipse, image.pixels.pixel_size_mm, bundle.intervals)
            line["measurement"] = head.as_dict()
            heads.append(head)
        shown.append(line)
    return shown, heads


def _corrected(outline: Outline, images: Sequence[ScanImage]) -> dict[str, Any]:
    """The outline that a person drew over one of the images, with its measures in mm under ``values``."""
    if not 0 <= outline.image < len(images):
        raise InputError(f"there is no image {outline.image + 1} to correct")
    pixels = images[outline.image].pixels
    if pixels.pixel_size_mm is None:
        raise InputError("the scale of the image is not known, so the corrected outline has no size in mm")
    return {
        "image": outline.image,
        "ellipse": outline.ellipse.as_dict(),
        "by": outline.by,
        "at": outline.at,
        "values": axes_mm(outline.ellipse, pixels.pixel_size_mm),
    }
