"""Writing that is burnt into a picture is noticed; a picture without it raises no warning."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from models.synthetic.heads import phantom
from models.ultrasound import formats
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.writing import lines

HEAD = phantom(Ellipse(400, 270, 230, 180, 0.1), seed=1)


def written(*words: str, size: int = 16, value: int = 255) -> Image.Image:
    """A picture with a black border, as scanners have one, and writing on it."""
    canvas = np.zeros((HEAD.shape[0] + 160, HEAD.shape[1] + 100), dtype=np.uint8)
    canvas[120 : 120 + HEAD.shape[0], 50 : 50 + HEAD.shape[1]] = HEAD
    picture = Image.fromarray(canvas)
    for row, text in enumerate(words):
        place = (20, 10 + 2 * size * row)
        ImageDraw.Draw(picture).text(place, text, fill=value, font=ImageFont.load_default(size))
    return picture


@pytest.mark.parametrize("size", [13, 16, 24])
@pytest.mark.parametrize("value", [170, 255])
@pytest.mark.parametrize("words", ["DOE JANE", "Santos Maria 1990-03-04", "ID 778899"])
def test_a_name_on_the_border_is_noticed(words: str, value: int, size: int) -> None:
    assert lines(np.asarray(written(words, size=size, value=value))) >= 1


def test_heads_raise_no_warning() -> None:
    assert lines(np.asarray(written())) == 0
    heads = [phantom(Ellipse(400, 270, 200 + seed, 160, 0.1 * seed), seed=seed) for seed in range(40)]
    assert [lines(head) for head in heads] == [0] * 40


def test_the_remark_says_what_to_do() -> None:
    stream = io.BytesIO()
    written("DOE JANE", "ID 778899").save(stream, "PNG")
    (image,) = formats.read("a.png", stream.getvalue())
    (remark,) = [remark for remark in image.remarks if "writing" in remark]
    assert remark.startswith("there is writing in the picture (2 lines)")
    assert "blacken it" in remark
