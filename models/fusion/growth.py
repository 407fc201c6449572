"""Growth as a result of its own: measures the scan and judges the size, whatever the CTG shows.

It gives the probability that the leading measure is small for its age. `growth_contribution` then decides whether and
how this enters the score.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from models.bundle import Bundle
from models.errors import InputError
from models.fusion.inputs import Outline, ScanImage, ScanInput
from models.fusion.part import GrowthResult
from models.growth import plausible
from models.growth.amniotic_fluid import amniotic_fluid_findings
from models.growth.assessment import GrowthAssessment, assess_growth
from models.growth.dating import ages_by_size
from models.growth.dopplers import doppler_findings
from models.growth.measures import HC, LABELS, Measured, corrected, typed
from models.growth.verdict import NOT_JUDGED
from models.ultrasound.biometry import HeadMeasurement, axes_mm, combined, measure

# Two images of one head differ by 2.5 % at the median (HC18 references). Above twice that, the answer has a warning.
UNLIKE_IMAGES = 0.05
# Beyond this they are not of one head, or a scale is wrong.
REFUSED_UNLIKE = 0.15
SCALE_UNKNOWN = "the scale of the image is not known; give the pixel size, or a calliper of known length"
NONE_GIVEN = "none was given"
HEAD_ONLY_WARNING = "Only the head is known: abdomen, weight and Dopplers define growth restriction."


@dataclass(frozen=True)
class GrowthPart:
    """Growth judged from a scan.

    Attributes
    ----------
    part : GrowthResult
    growth : GrowthAssessment or None
        None without a scan or an age.
    warnings : list of str
    """

    part: GrowthResult
    growth: GrowthAssessment | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Measurements:
    """What a scan measures.

    Attributes
    ----------
    measures : dict of str to Measured
        By name: those of the model, replaced by those of a corrected outline, replaced by typed ones.
    detail : dict
        Images, measurement and correction, for display and JSON.
    refusal : str or None
        Why no image could be measured.
    warnings : list of str
    """

    measures: dict[str, Measured]
    detail: dict[str, Any] = field(default_factory=dict)
    refusal: str | None = None
    warnings: list[str] = field(default_factory=list)


def event_of(leading: str) -> str:
    """The event that the probability is for."""
    return f"the true {LABELS[leading].lower()} lies below the 3rd centile for the stated age"


def growth_part(bundle: Bundle, scan: ScanInput | None) -> GrowthPart:
    """Measure the scan and judge the size, or give the reason why this is not possible.

    Raises
    ------
    InputError, RangeError
        A typed value or age is impossible.
    """
    if scan is None or not scan.given:
        return GrowthPart(GrowthResult(None, None, event_of(HC), NONE_GIVEN, because="no scan was given"))
    measurements = measure_scan(bundle, scan)
    measures, detail, warnings = measurements.measures, dict(measurements.detail), list(measurements.warnings)
    if measures:
        detail["measures"] = {name: asdict(measure) for name, measure in measures.items()}
        values = {name: measure.value for name, measure in measures.items()}
        detail["ages"] = [asdict(age) for age in ages_by_size(values)]
    if scan.age is None:
        refusal = measurements.refusal or "no gestational age was given for the scan"
        findings = [*doppler_findings(scan.dopplers), *amniotic_fluid_findings(scan.fluid)]
        part = GrowthResult(None, None, event_of(HC), refusal, detail, because=refusal, findings=findings)
        return GrowthPart(part, warnings=warnings)
    if not 0 < scan.age.days <= 44 * 7:
        raise InputError(f"gestational age {scan.age.days / 7:.1f} weeks is outside 0 to 44 weeks")
    wrong = plausible.against_age({k: m for k, m in measures.items() if k not in scan.age.derived_from}, scan.age.days)
    if wrong:
        detail["implausible"] = wrong
        contradiction = plausible.words(measures, wrong, scan.age.days)
        warnings.append(contradiction.capitalize() + ".")
        measures = {name: measure for name, measure in measures.items() if name not in wrong}
        measurements = replace(measurements, refusal=measurements.refusal or contradiction)
    growth = assess_growth(
        measures,
        scan.age,
        scan.weight_standard,
        scan.dopplers,
        scan.visits,
        scan.congenital_anomaly,
        scan.others,
        scan.fluid,
    )
    detail["growth"] = asdict(growth)
    answer, size = growth.verdict, growth.size
    if wrong and answer.verdict == NOT_JUDGED:
        answer = replace(answer, because=plausible.CHECK)
    if size is None:
        refusal = measurements.refusal or "; ".join(growth.not_judged) or "no measure of the fetus was given"
        because = answer.because if measures or wrong or answer.verdict != NOT_JUDGED else refusal
        part = GrowthResult(None, None, event_of(HC), refusal, detail, answer.verdict, because, growth.findings)
        return GrowthPart(part, growth, warnings + growth.notes)
    if size.measure == HC:
        warnings.append(HEAD_ONLY_WARNING)
    part = GrowthResult(
        size.probability_small,
        size.interval_small,
        event_of(size.measure),
        None,
        detail,
        answer.verdict,
        answer.because,
        growth.findings,
    )
    return GrowthPart(part, growth, warnings + growth.notes)


def measure_scan(bundle: Bundle, scan: ScanInput) -> Measurements:
    """Measure the images, then apply a corrected outline and typed values.

    Raises
    ------
    InputError, RangeError
        The corrected outline belongs to no image of known scale, or a typed value is impossible.
    """
    measures: dict[str, Measured] = {}
    detail: dict[str, Any] = {}
    refusal = None
    warnings = []
    if scan.images:
        shown, heads = _heads(bundle, scan.images)
        detail["images"] = shown
        if heads and combined(heads).spread > REFUSED_UNLIKE:
            refusal = detail["refusal"] = (
                f"the images differ by {100 * combined(heads).spread:.0f} % in head circumference: they are not of one "
                "head, or a scale is wrong"
            )
        elif heads:
            head = combined(heads)
            detail["measurement"] = head.as_dict()
            measures |= head.measured()
            if head.images > 1 and head.spread > UNLIKE_IMAGES:
                warnings.append(
                    f"The images differ by {100 * head.spread:.0f} % in head circumference: check the plane."
                )
        else:
            refusal = detail["refusal"] = next(line["refusal"] for line in shown)
        if scan.outline is not None:
            detail["corrected"] = correction = _correction(scan, scan.outline)
            measures |= {name: corrected(name, value) for name, value in correction["values"].items()}
    measures |= {name: typed(name, value) for name, value in scan.typed.items()}
    return Measurements(measures, detail, refusal, warnings)


def _heads(bundle: Bundle, images: Sequence[ScanImage]) -> tuple[list[dict[str, Any]], list[HeadMeasurement]]:
    """A description of each image, and the measurements of those that can be measured."""
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
            reasons = (plausible.beyond_range(name, measured.value) for name, measured in head.measured().items())
            line["refusal"] = next((reason for reason in reasons if reason is not None), None)
            if line["refusal"] is None:
                heads.append(head)
        shown.append(line)
    return shown, heads


def _correction(scan: ScanInput, outline: Outline) -> dict[str, Any]:
    """The outline that a person drew over one of the images, and its measures."""
    if not 0 <= outline.image < len(scan.images):
        raise InputError(f"there is no image {outline.image + 1} to correct")
    pixels = scan.images[outline.image].pixels
    if pixels.pixel_size_mm is None:
        raise InputError("the scale of the image is not known, so the corrected outline has no size in mm")
    return {
        "image": outline.image,
        "ellipse": outline.ellipse.as_dict(),
        "by": outline.by,
        "at": outline.at,
        "values": axes_mm(outline.ellipse, pixels.pixel_size_mm),
    }
