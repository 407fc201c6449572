"""Damaged uploads: read or refused in one line, never another error, and in bounded memory."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.synthetic.heads import phantom
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.formats import read
from tests.models.ultrasound.dicoms import US_MULTIFRAME, dicom, region

HEAD = phantom(Ellipse(200, 130, 100, 78, 0.1), 270, 400, seed=1)


def sources() -> dict[str, bytes]:
    """One small file of each kind."""
    files = {}
    for kind in ("PNG", "JPEG"):
        stream = io.BytesIO()
        Image.fromarray(HEAD).save(stream, kind)
        files[kind] = stream.getvalue()
    whole = [region((0, 0, 399, 269))]
    files["DICOM"] = dicom(HEAD, whole)
    files["clip"] = dicom(np.stack([HEAD[:128, :128]] * 3), [region((0, 0, 127, 127))], US_MULTIFRAME)
    return files


def attempt(content: bytes) -> None:
    refusal, images = "", []
    try:
        images = read("x", content)
    except InputError as error:
        refusal = str(error)
    assert bool(images) != bool(refusal)
    assert "\n" not in refusal
    assert len(refusal) < 400
    for image in images:
        assert image.pixels.dtype == np.uint8
        if image.pixel_size_mm is not None:
            assert 0.02 <= image.pixel_size_mm <= 1


@pytest.mark.parametrize(("kind", "content"), sources().items(), ids=list(sources()))
def test_mutated_bytes(kind: str, content: bytes) -> None:
    rng = np.random.default_rng(len(kind))
    head = min(len(content), 1400)  # where the structure is
    for _ in range(120):
        bytes_ = bytearray(content)
        for position in rng.integers(0, head if rng.random() < 0.8 else len(content), rng.integers(1, 6)):
            bytes_[position] = int(rng.integers(0, 256))
        if rng.random() < 0.2:
            bytes_ = bytes_[: int(rng.integers(0, len(bytes_)))]
        attempt(bytes(bytes_))


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    stream = io.BytesIO()
    Image.new("L", (20000, 20000)).save(stream, "PNG")  # 400 MB of grey in 400 kB
    claims = dicom(HEAD, NumberOfFrames=2_000_000)
    tracemalloc.start()
    attempt(stream.getvalue())
    attempt(claims)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
