"""DICOM files of the world: what they say of themselves, and the ways in which they are slightly wrong."""

import io
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from models.errors import FormatError
from models.origin import Identity
from models.ultrasound.formats import read
from tests.models.ultrasound.dicoms import SECONDARY_CAPTURE, US_MULTIFRAME, dicom, region


def grey_head() -> np.ndarray:
    """A picture with brightness in it, 300 x 400."""
    rng = np.random.default_rng(4)
    return np.clip(rng.normal(60, 40, (300, 400)), 0, 255).astype(np.uint8)


def test_a_region_that_ends_one_pixel_outside_is_clamped() -> None:
    (image,) = read("a", dicom(grey_head(), [region((0, 0, 400, 300))]))
    assert image.pixels.shape == (300, 400)
    with pytest.raises(FormatError, match="lies outside the picture"):
        read("a", dicom(grey_head(), [region((0, 0, 401, 299))]))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_file_without_preamble_is_read(syntax: str) -> None:
    whole = dicom(grey_head(), [region((0, 0, 399, 299))], syntax=syntax)
    bare = io.BytesIO()
    dataset = pydicom.dcmread(io.BytesIO(whole))
    implicit = syntax == ImplicitVRLittleEndian
    pydicom.dcmwrite(bare, Dataset(dataset), implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    assert bare.getvalue()[128:132] != b"DICM"
    (image,) = read("a", bare.getvalue())
    np.testing.assert_array_equal(image.pixels, grey_head())


@pytest.mark.parametrize(
    ("kind", "channels"),
    [
        ("RGB", lambda grey: (grey, np.full_like(grey, 128), np.full_like(grey, 128))),
        ("YBR_FULL", lambda grey: (grey, grey, grey)),
        ("YBR_FULL", lambda grey: (grey, np.full_like(grey, 128), np.full_like(grey, 128))),
        ("RGB", lambda grey: (grey, grey, grey)),
    ],
)
def test_grey_under_any_name_of_its_colour_space_is_the_same_grey(kind: str, channels: Any) -> None:
    pixels = np.stack(channels(grey_head()), axis=-1)
    content = dicom(pixels, [region((0, 0, 399, 299))], PhotometricInterpretation=kind)
    (image,) = read("a", content)
    np.testing.assert_allclose(image.pixels.astype(int), grey_head().astype(int), atol=1)
    wrong = (kind == "RGB") == bool((pixels[..., 1] == 128).all())
    assert bool(image.remarks) == wrong


def test_colour_is_still_colour() -> None:
    pixels = np.stack([grey_head()] * 3, axis=-1)
    pixels[100:150, 100:160] = (200, 30, 20)
    for kind in ("RGB", "YBR_FULL"):
        with pytest.raises(FormatError, match="of the picture is coloured"):
            read("a", dicom(pixels, [region((0, 0, 399, 299))], PhotometricInterpretation=kind))


def test_a_picture_of_another_modality_is_no_scan() -> None:
    for modality in ("CT", "MR", "NM", "DX"):
        with pytest.raises(FormatError, match=f"a picture of modality '{modality}'"):
            read("a", dicom(grey_head(), sop_class=SECONDARY_CAPTURE, Modality=modality))
    assert read("a", dicom(grey_head(), sop_class=SECONDARY_CAPTURE, Modality="OT"))


def test_a_clip_with_a_coloured_frame_gives_the_grey_ones() -> None:
    clip = np.stack([np.stack([grey_head()] * 3, axis=-1)] * 2)
    clip[1, ..., 0] = 255 - clip[1, ..., 0]
    made = dicom(clip[0], [region((0, 0, 399, 299))], sop_class=US_MULTIFRAME)
    dataset = pydicom.dcmread(io.BytesIO(made))
    dataset.NumberOfFrames, dataset.PixelData = 2, clip.tobytes()
    stream = io.BytesIO()
    dataset.save_as(stream)
    (image,) = read("a", stream.getvalue())
    assert "1 of its frames or regions were not used" in image.remarks[0]


def test_a_file_says_when_and_of_whom() -> None:
    def origin(**elements: Any) -> Any:
        return read("a", dicom(grey_head(), [region((0, 0, 399, 299))], **elements))[0].origin

    study = origin()
    assert study.made_at == datetime(2026, 3, 2)
    assert study.identity == Identity("12345", "dicom", "19900101")
    acquired = origin(AcquisitionDateTime="20261028101500.000000+0200")
    assert acquired.made_at == datetime(2026, 10, 28, 10, 15, tzinfo=timezone(timedelta(hours=2)))
    zone = origin(ContentDate="20261028", ContentTime="101500", TimezoneOffsetFromUTC="-0300")
    assert zone.made_at == datetime(2026, 10, 28, 10, 15, tzinfo=timezone(timedelta(hours=-3)))
    nobody = origin(PatientID="ANON", PatientBirthDate="", StudyDate="")
    assert (nobody.made_at, nobody.identity) == (None, None)


def test_burnt_in_text_is_told() -> None:
    (image,) = read("a", dicom(grey_head(), [region((0, 0, 399, 299))], BurnedInAnnotation="YES"))
    assert "text is burnt into the picture" in image.remarks[0]
