"""Uploaded pictures and DICOM files: read right, or refused with the reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.errors import FormatError, InputError, RangeError
from models.ultrasound.formats import as_png, read
from models.ultrasound.image import Scale
from tests.examples import HEAD
from tests.models.ultrasound.dicoms import SECONDARY_CAPTURE, US_MULTIFRAME, dicom, region

WHOLE = (0, 0, 799, 539)


def picture(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    quick = {"compress_level": 1} if kind == "PNG" else {}
    Image.fromarray(pixels).save(stream, kind, **quick, **options)
    return stream.getvalue()


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_grey_png_and_jpeg() -> None:
    (image,) = read("a.png", picture(HEAD), Scale(0.12))
    np.testing.assert_array_equal(image.pixels, HEAD)
    assert (image.pixel_size_mm, image.scale_source) == (0.12, "typed")
    assert read("a.jpg", picture(HEAD, "JPEG"))[0].pixel_size_mm is None


def test_every_mode_of_a_grey_picture_reads_alike() -> None:
    grey = Image.fromarray(HEAD)
    for mode in ("RGB", "RGBA", "P", "LA"):
        stream = io.BytesIO()
        grey.convert(mode).save(stream, "PNG", compress_level=1)
        np.testing.assert_allclose(read("a.png", stream.getvalue())[0].pixels, HEAD, atol=1)


@pytest.mark.parametrize(("bits", "top"), [(12, 4095), (16, 65535)])
def test_more_than_eight_bits_are_scaled(bits: int, top: int) -> None:
    deep = np.round(HEAD.astype(float) / HEAD.max() * top).astype(np.uint16)
    np.testing.assert_allclose(read("a.png", picture(deep))[0].pixels, HEAD.astype(float) / HEAD.max() * 255, atol=1)


def test_transparent_is_black() -> None:
    seen = np.dstack(
        [HEAD, HEAD, HEAD, np.where(np.arange(800) < 400, 0, 255)[None, :].repeat(540, 0).astype(np.uint8)]
    )
    pixels = read("a.png", picture(seen))[0].pixels
    assert pixels[:, :400].max() == 0
    np.testing.assert_array_equal(pixels[:, 400:], HEAD[:, 400:])


def test_a_turned_photograph_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    stream = io.BytesIO()
    Image.fromarray(HEAD).save(stream, "JPEG", exif=exif, quality=95)
    assert read("a.jpg", stream.getvalue())[0].pixels.shape == (800, 540)


def test_what_is_stored_has_no_metadata() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Patient", "Jane Doe")
    (image,) = read("jane-doe.png", picture(HEAD, pnginfo=info))
    assert b"Jane" not in as_png(image)
    np.testing.assert_array_equal(read("x", as_png(image))[0].pixels, HEAD)


def doppler() -> bytes:
    colours = np.dstack([HEAD] * 3)
    colours[200:300, 300:420, 0] = 220
    return picture(colours)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "not a readable PNG or JPEG"),
        (b"", "not a readable"),
        (b"%PDF-1.7", "a PDF, not an image"),
        (bomb(20000, 20000), "pixels"),
        (bomb(6000, 6000), "pixels"),
        (bomb(1, 1), "at least 64"),
        (bomb(10, 2000), "at least 64"),
        (bomb(200, 200), "not a readable"),
        (picture(np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)), "coloured"),
        (doppler(), "Doppler overlay"),
    ],
)
def test_bad_pictures_get_a_plain_answer(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read("x", content)


@pytest.mark.parametrize("size", [0.0, -0.1, 5.0])
def test_impossible_scales(size: float) -> None:
    with pytest.raises(RangeError, match="pixel size"):
        read("a.png", picture(HEAD), Scale(size))


def test_a_calliper_of_known_length_is_a_scale() -> None:
    (image,) = read("a.png", picture(HEAD), Scale(calliper=(100, 100, 100, 500, 50.0)))
    assert image.pixel_size_mm == 0.125
    assert image.scale_source == "calliper"


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (Scale(0.1, (0, 0, 0, 400, 50)), "either a pixel size or a calliper"),
        (Scale(calliper=(0, 0, 3, 4, 50)), "5 pixels long"),
        (Scale(calliper=(0, 0, 0, 400, 0)), "outside 0.02"),
    ],
)
def test_bad_callipers(scale: Scale, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read("a.png", picture(HEAD), scale)


def test_a_truncated_png_is_refused() -> None:
    content = picture(HEAD)
    with pytest.raises(FormatError):
        read("a.png", content[: len(content) // 2])


def test_a_dicom_region_gives_the_scale_and_everything_else_is_dropped() -> None:
    pixels = HEAD.copy()
    pixels[:40] = 255  # a header with a name burnt in
    (image,) = read("a.dcm", dicom(pixels, [region((50, 40, 749, 539), (0.0123, 0.0123))]))
    assert image.pixel_size_mm == pytest.approx(0.123)
    assert image.scale_source == "DICOM region"
    np.testing.assert_array_equal(image.pixels, HEAD[40:540, 50:750])
    assert all(word not in as_png(image) for word in (b"Doe", b"12345", b"Elsewhere"))


def test_anisotropic_pixels_are_made_square() -> None:
    squeezed = np.asarray(Image.fromarray(HEAD).resize((400, 540)))
    (image,) = read("a.dcm", dicom(squeezed, [region((0, 0, 399, 539), (0.024, 0.012))]))
    assert (image.width, image.height) == (800, 540)
    assert image.pixel_size_mm == pytest.approx(0.12)
    assert np.abs(image.pixels.astype(int) - HEAD).mean() < 12


def test_two_regions_are_two_images_and_others_are_left_out() -> None:
    regions = [
        region((0, 0, 399, 539)),
        region((400, 0, 799, 539), (0.02, 0.02)),
        region((0, 0, 99, 99), kind=2),
        region((0, 400, 799, 539), spatial=3),
    ]
    images = read("a.dcm", dicom(HEAD, regions))
    assert [image.pixel_size_mm for image in images] == pytest.approx([0.12, 0.2])
    assert [image.width for image in images] == [400, 400]


def test_a_clip_gives_frames_spread_over_it_or_the_one_asked_for() -> None:
    clip = np.stack([np.full((128, 128), 10 * k, np.uint8) for k in range(20)])
    content = dicom(clip, [region((0, 0, 127, 127))], US_MULTIFRAME)
    images = read("a.dcm", content)
    assert [int(image.pixels[0, 0]) for image in images] == [0, 30, 50, 80, 110, 140, 160, 190]
    (third,) = read("a.dcm", content, frame=3)
    assert third.pixels[0, 0] == 20
    with pytest.raises(InputError, match="frame 21 of 20"):
        read("a.dcm", content, frame=21)


def test_secondary_capture_needs_a_stated_scale() -> None:
    content = dicom(HEAD, None, SECONDARY_CAPTURE, PixelSpacing=[0.5, 0.5])
    assert read("a.dcm", content)[0].pixel_size_mm is None
    assert read("a.dcm", content, Scale(0.12))[0].scale_source == "typed"


def test_colour_and_deep_dicom() -> None:
    np.testing.assert_allclose(read("a.dcm", dicom(np.dstack([HEAD] * 3)))[0].pixels, HEAD, atol=1)
    assert read("a.dcm", dicom(HEAD.astype(np.uint16) * 257))[0].pixels.max() >= 250


def test_inverted_and_palette_pictures_are_read_as_they_are_shown() -> None:
    inverted = dicom(255 - HEAD, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read("a.dcm", inverted)[0].pixels, HEAD)
    ramp = (np.arange(256, dtype=np.uint16)[::-1] * 257).tobytes()
    tables = {f"{colour}PaletteColorLookupTableData": ramp for colour in ("Red", "Green", "Blue")}
    tables |= {f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16] for colour in ("Red", "Green", "Blue")}
    palette = dicom(255 - HEAD, PhotometricInterpretation="PALETTE COLOR", **tables)
    np.testing.assert_allclose(read("a.dcm", palette)[0].pixels, HEAD, atol=1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (dicom(HEAD, syntax="1.2.840.10008.1.2.1.99"), "deflated"),
        (dicom(HEAD, [region((0, 0, 99, 99))] * 9), "at most 8"),
        (bytes(128) + b"DICM", "not a readable DICOM|DICOM of class"),
        (bytes(128) + b"DICM" + bytes(400), "not a readable DICOM|DICOM of class"),
        (dicom(HEAD, sop_class="1.2.840.10008.5.1.4.1.1.104.1"), "encapsulated PDF"),
        (dicom(HEAD, sop_class="1.2.840.10008.5.1.4.1.1.2"), "neither an ultrasound image"),
        (dicom(HEAD, [region(WHOLE, (0.0, 0.012))])[:400], "readable|pixels|missing"),
        (dicom(HEAD, [region(WHOLE, (0.12, 0.12))]), "outside 0.02 to 1 mm; the unit may be wrong"),
        (dicom(HEAD, [region(WHOLE, (0.003, 0.05))]), "too unlike"),
        (dicom(HEAD, [region((0, 0, 900, 539))]), "outside the picture"),
        (dicom(HEAD, [region(WHOLE, spatial=3)]), "none of its ultrasound regions"),
        (dicom(HEAD, [region((0, 0, 40, 40))]), "at least 64"),
        (dicom(HEAD, syntax="1.2.840.10008.1.2.4.70"), "cannot be decoded here|is damaged"),
        (dicom(HEAD, Rows=30000, Columns=30000), "at most"),
        (dicom(HEAD, Rows=900), "is damaged|cannot be decoded"),
    ],
)
def test_bad_dicom_gets_a_plain_answer(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read("a.dcm", content)


@pytest.mark.parametrize(("delta", "units"), [((0.0, 0.012), 3), ((0.012, 0.012), 4), ((0.012, 0.012), 0)])
def test_a_region_without_a_scale_in_cm_leaves_it_unknown(delta: tuple[float, float], units: int) -> None:
    content = dicom(HEAD, [region(WHOLE, delta, units)])
    assert read("a.dcm", content)[0].pixel_size_mm is None
    assert read("a.dcm", content, Scale(0.2))[0].pixel_size_mm == 0.2


def test_a_compressed_frame_is_decoded_and_checked_by_its_own_header() -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    content = dicom(HEAD, [region(WHOLE)], syntax=jpeg, stream_of=picture(HEAD, "JPEG", quality=95))
    assert np.abs(read("a.dcm", content)[0].pixels.astype(int) - HEAD).mean() < 3
    small = picture(np.zeros((8, 8), np.uint8), "JPEG")
    larger = small.replace(struct.pack(">HH", 8, 8), struct.pack(">HH", 60000, 60000))
    with pytest.raises(RangeError, match=r"pixels|larger than it says"):
        read("a.dcm", dicom(HEAD, syntax=jpeg, stream_of=larger))


def test_a_stated_scale_must_agree_with_the_file() -> None:
    content = dicom(HEAD, [region(WHOLE)])
    assert read("a.dcm", content, Scale(0.1201))[0].scale_source == "DICOM region"
    with pytest.raises(InputError, match="the file says"):
        read("a.dcm", content, Scale(0.2))
