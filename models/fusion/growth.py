"""The chronic part: from a scan to the probability that the head is small for its age."""

from dataclasses import asdict
from typing import Any

from models.bundle import Bundle
from models.errors import InputError, RangeError
from models.fusion.parts import Part, ScanInput
from models.ultrasound.biometry import HeadMeasurement, measure
from models.ultrasound.growth import GrowthAssessment, assess_growth, error_sd_mm

# Typed head circumferences carry the reproducibility of experts: 95 % limits of +/- 3.0 % within one
# observer (Sarris I et al. Ultrasound Obstet Gynecol 2012), so 2.5 % at 90 %.
TYPED_ERROR_QUANTILE = 0.025
GROWTH_EVENT = "the true head circumference lies below the 3rd centile for the stated age"


def growth_part(bundle: Bundle, scan: ScanInput | None, warnings: list[str]) -> tuple[Part, GrowthAssessment | None]:
    detail: dict[str, Any] = {}

    def refused(reason: str) -> tuple[Part, None]:
        return Part(None, None, GROWTH_EVENT, reason, detail), None

    if scan is None or (scan.image is None and scan.typed_head_circumference_mm is None):
        return refused("none was given")
    measurement = _measurement(bundle, scan, detail)
    circumference, quantile = scan.typed_head_circumference_mm, TYPED_ERROR_QUANTILE
    if circumference is not None:
        if not 30 <= circumference <= 450:
            raise RangeError(f"head circumference {circumference:g} mm is outside 30 to 450 mm")
        detail["source"] = "typed"
    elif measurement is None:
        return refused(detail["refusal"])
    else:
        circumference, quantile = measurement.head_circumference_mm, bundle.error_quantile
        detail["source"] = "model"
    detail["head_circumference_mm"] = circumference
    if scan.age_days is None:
        return refused("no gestational age was given for the scan")
    if not 0 < scan.age_days <= 44 * 7:
        raise InputError(f"gestational age {scan.age_days / 7:.1f} weeks is outside 0 to 44 weeks")
    try:
        growth = assess_growth(
            circumference, error_sd_mm(circumference, quantile), scan.age_days, scan.age_source, scan.age_sd_days
        )
    except RangeError as error:
        return refused(str(error))
    warnings.append("Only the head is known: abdominal circumference, weight and Dopplers define growth restriction.")
    detail["growth"] = asdict(growth)
    return Part(growth.probability_small, growth.interval_small, GROWTH_EVENT, None, detail), growth


def _measurement(bundle: Bundle, scan: ScanInput, detail: dict[str, Any]) -> HeadMeasurement | None:
    """Measure the image if it can be; otherwise leave the reason in `detail`."""
    if scan.image is None:
        return None
    detail |= {"width": scan.image.width, "height": scan.image.height, "pixel_size_mm": scan.image.pixel_size_mm}
    head = scan.head
    if head is None:
        detail["refusal"] = "this bundle has no ultrasound model"
        return None
    if head.ellipse is not None:
        detail["ellipse"] = head.ellipse.as_dict()
    if head.refusal or head.ellipse is None:
        detail["refusal"] = head.refusal or "no fetal head was found in the image"
        return None
    if scan.image.pixel_size_mm is None:
        detail["refusal"] = "the scale of the image is not known; give the pixel size in mm"
        return None
    measurement = measure(head.ellipse, scan.image.pixel_size_mm, bundle.error_quantile)
    detail["measurement"] = asdict(measurement)
    return measurement
