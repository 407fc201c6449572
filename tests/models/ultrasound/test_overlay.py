"""A measurement in words and as a picture."""

import io

import numpy as np
from PIL import Image

from models.bundle import Bundle
from models.fusion.growth import growth_part
from models.fusion.inputs import ScanImage, ScanInput
from models.growth.assessment import Age
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import UltrasoundImage
from models.ultrasound.overlay import CALLIPER_COLOUR, OUTLINE_COLOUR, draw, lines

IMAGE = UltrasoundImage(np.zeros((540, 800), np.uint8), 0.15, "typed")
HEAD = HeadEllipse(Ellipse(400, 270, 230, 180, 0.0), None, None)


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_outline_and_callipers_lie_on_the_ellipse() -> None:
    shown = pixels(draw(IMAGE, HEAD))
    assert tuple(shown[270, 630]) in {OUTLINE_COLOUR, CALLIPER_COLOUR}
    assert tuple(shown[90, 400]) in {OUTLINE_COLOUR, CALLIPER_COLOUR}
    assert tuple(shown[270, 500]) == CALLIPER_COLOUR
    assert tuple(shown[200, 400]) == CALLIPER_COLOUR
    assert tuple(shown[200, 300]) == (0, 0, 0)


def test_a_turned_head_has_turned_callipers() -> None:
    shown = pixels(draw(IMAGE, HeadEllipse(Ellipse(400, 270, 200, 100, np.pi / 2), None, None)))
    assert tuple(shown[400, 400]) == CALLIPER_COLOUR
    assert tuple(shown[270, 480]) == CALLIPER_COLOUR
    assert tuple(shown[270, 560]) == (0, 0, 0)


def test_a_refusal_stands_in_the_picture() -> None:
    assert pixels(draw(IMAGE, HeadEllipse(None, None, "no head"))).any()


def words(bundle: Bundle, head: HeadEllipse, age: Age | None) -> str:
    growth = growth_part(bundle, ScanInput((ScanImage(IMAGE, head),), age=age))
    return "\n".join(lines(growth.part.detail))


def test_lines_say_measure_interval_size_and_what_is_not_judged(bundle: Bundle) -> None:
    text = words(bundle, HEAD, Age(168, "as given"))
    for part in (
        "0.15 mm a pixel (typed)",
        "age by head circumference:",
        "90 % interval",
        "cephalic index 0.78: not judged",
        "centile",
        "second-hand",
        "cannot assess",
    ):
        assert part in text
    assert "z " not in words(bundle, HEAD, None)


def test_lines_of_a_refused_image(bundle: Bundle) -> None:
    assert "cannot assess: no head" in words(bundle, HeadEllipse(None, None, "no head"), None)
