"""Uploaded pictures."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.errors import FormatError, InputError, RangeError
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.formats import read
from models.ultrasound.synthetic import phantom


def picture(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_grey_png_and_jpeg() -> None:
    pixels = phantom(Ellipse(400, 270, 200, 150, 0.1), seed=1)
    image = read("a.png", picture(pixels), 0.12)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.pixel_size_mm, image.scale_source) == (0.12, "typed")
    assert read("a.jpg", picture(pixels, "JPEG")).pixel_size_mm is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "not a readable PNG or JPEG"),
        (b"", "not a readable"),
        (bytes(128) + b"DICM" + bytes(40), "DICOM is not supported yet"),
        (bomb(20000, 10000), "pixels"),
        (bomb(6000, 6000), "pixels"),
        (bomb(10, 2000), "at least 64"),
        (bomb(200, 200), "not a readable"),
        (picture(np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)), "colour picture"),
    ],
)
def test_bad_pictures_get_a_plain_answer(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read("x", content)


@pytest.mark.parametrize("size", [0.0, -0.1, 5.0])
def test_impossible_scales(size: float) -> None:
    with pytest.raises(RangeError, match="pixel size"):
        read("a.png", picture(np.zeros((100, 100), np.uint8)), size)


def test_a_truncated_png_is_refused() -> None:
    content = picture(phantom(Ellipse(400, 270, 200, 150, 0.1)))
    with pytest.raises(FormatError):
        read("a.png", content[: len(content) // 2])
