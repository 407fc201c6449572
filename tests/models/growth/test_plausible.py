"""Measures that no fetus has, or none of the known age: not judged, with the reason."""

import numpy as np
import pytest

from models.bundle import Bundle
from models.fusion.growth import growth_part
from models.fusion.inputs import ScanImage, ScanInput
from models.growth.assessment import Age
from models.growth.measures import AC, FL, HC, typed
from models.growth.plausible import CHECK, against_age, beyond_range, words
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import UltrasoundImage

WEEKS = 7.0


def head(pixel_size_mm: float, semi_major: float = 240.0) -> ScanImage:
    """An image in which a head was found; its circumference is about 1340 pixels."""
    picture = UltrasoundImage(np.zeros((540, 800), dtype=np.uint8), pixel_size_mm, "DICOM region")
    ellipse = Ellipse(400, 270, semi_major, semi_major * 185 / 240, 0.1)
    return ScanImage(picture, HeadEllipse(ellipse, None, None))


def judged(bundle: Bundle, *images: ScanImage, weeks: float | None = None, **measures: float):  # type: ignore[no-untyped-def]
    age = Age(weeks * WEEKS, "as given") if weeks is not None else None
    return growth_part(bundle, ScanInput(images=images, typed=measures, age=age))


@pytest.mark.parametrize(
    ("measure", "value", "weeks", "plausible"),
    [
        (HC, 262, 28.4, True),
        (HC, 200, 36, False),
        (HC, 275, 36, True),  # small by four standard deviations: a finding, not a mistake
        (HC, 169, 39.1, False),
        (HC, 330, 20, False),
        (AC, 260, 36, True),
        (FL, 45, 36, True),  # short by eight standard deviations
        (FL, 20, 36, False),
        (HC, 250, 12, False),
    ],
)
def test_limits_lie_outside_disease(measure: str, value: float, weeks: float, plausible: bool) -> None:
    beyond = against_age({measure: typed(measure, value)}, weeks * WEEKS)
    assert (measure not in beyond) == plausible


def test_a_head_outside_the_range_of_heads_is_not_measured(bundle: Bundle) -> None:
    part = judged(bundle, head(0.55), weeks=28)
    (line,) = part.part.detail["images"]
    assert line["refusal"].startswith("head circumference 73")
    assert "measures" not in part.part.detail
    assert beyond_range(HC, 300) is None


def test_a_wrong_scale_is_no_small_head(bundle: Bundle) -> None:
    part = judged(bundle, head(0.05), weeks=28.4)
    assert part.part.probability is None
    assert (part.part.verdict, part.part.because) == ("not judged", CHECK)
    assert any(line.startswith("Check scale and age: head circumference 67 mm (-") for line in part.warnings)


def test_the_other_measures_are_still_judged(bundle: Bundle) -> None:
    part = judged(bundle, head(0.05), weeks=28.4, **{AC: 240.0})
    assert part.part.verdict == "appropriate"
    assert HC in part.part.detail["implausible"]


def test_images_that_disagree_are_not_averaged(bundle: Bundle) -> None:
    part = judged(bundle, head(0.2), head(0.2, 300.0), weeks=28.4)
    assert part.part.probability is None
    assert "they are not of one head, or a scale is wrong" in str(part.part.refusal)
    near = judged(bundle, head(0.2), head(0.2, 262.0), weeks=28.4)
    assert near.part.probability is not None
    assert any("check the plane" in line for line in near.warnings)


def test_the_words_name_measure_distance_and_age() -> None:
    measures = {HC: typed(HC, 169), AC: typed(AC, 120)}
    beyond = against_age(measures, 273)
    text = words(measures, beyond, 273)
    assert text.startswith("check scale and age: head circumference 169 mm (-")
    assert text.endswith("cannot be at 39+0 weeks")
