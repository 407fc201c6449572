"""Uploaded files into ultrasound images: what it is, how large, and its scale are checked before anything is decoded.

Only grey values and a scale come out of here: names, dates and every other identifier of a file stay behind.
"""

import io
import zlib
from dataclasses import replace

from PIL import Image

from models.errors import FormatError
from models.ultrasound.formats import dicom, pictures
from models.ultrasound.image import WHOLE_PICTURE, Scale, UltrasoundImage
from models.ultrasound.writing import lines

MAX_IMAGES = 8
WRITING = "is stored with it: if it names the woman, blacken it and send the picture again"


def read(name: str, content: bytes, scale: Scale | None = None, frame: int | None = None) -> list[UltrasoundImage]:
    """Read a PNG, JPEG or DICOM file.

    Parameters
    ----------
    name : str
        File name, for messages.
    content : bytes
    scale : Scale, optional
        As stated; without it, and without one in the file, the head is shown, but not measured in mm.
    frame : int, optional
        Only this frame (1-based) of a DICOM clip; by default up to `MAX_IMAGES` spread over it.

    Returns
    -------
    list of UltrasoundImage
        One of a picture; one for every two-dimensional region and frame of a DICOM file.

    Raises
    ------
    FormatError
        Not one of these, damaged, or with nothing in it that could be measured.
    RangeError
        Too many or too few pixels, or an impossible scale.
    InputError
        The stated scale contradicts the file's, or the frame is not there.
    """
    return [_with_writing(image) for image in _images(name, content, scale or Scale(), frame)]


def _with_writing(image: UltrasoundImage) -> UltrasoundImage:
    """The image with a remark where writing is burnt into it."""
    count = lines(image.pixels)
    if not count:
        return image
    words = f"{count} line{'' if count == 1 else 's'}"
    return replace(image, remarks=(*image.remarks, f"there is writing in the picture ({words}), which {WRITING}"))


def _images(name: str, content: bytes, scale: Scale, frame: int | None) -> list[UltrasoundImage]:
    if dicom.looks_like(content) or dicom.without_preamble(content):
        return dicom.read(name, content, scale, frame, MAX_IMAGES)
    if content[:5] == b"%PDF-":
        raise FormatError(f"{name}: a PDF, not an image; export the frame as DICOM or PNG")
    pixel_size_mm, source = scale.stated()
    return [UltrasoundImage(pictures.read(name, content), pixel_size_mm, source, remarks=(WHOLE_PICTURE,))]


def as_png(image: UltrasoundImage) -> bytes:
    """The grey values alone, as PNG without any metadata: what is stored."""
    stream = io.BytesIO()
    # Run lengths alone take a third of the default's time, and less room: speckle does not repeat itself.
    Image.fromarray(image.pixels).save(stream, "PNG", compress_type=zlib.Z_RLE)
    return stream.getvalue()
