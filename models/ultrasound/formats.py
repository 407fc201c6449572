"""Uploaded pictures into grey images: type, size and content are checked before anything is decoded."""

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.errors import FormatError, RangeError
from models.ultrasound.image import UltrasoundImage

MAX_PIXELS = 25_000_000
MIN_SIDE = 64
MIN_PIXEL_SIZE_MM = 0.02
MAX_PIXEL_SIZE_MM = 1.0


def read(name: str, content: bytes, pixel_size_mm: float | None = None) -> UltrasoundImage:
    """Read a PNG or JPEG.

    Parameters
    ----------
    name : str
        File name, for messages.
    content : bytes
    pixel_size_mm : float, optional
        Scale as typed; without it the head is shown, but not measured in mm.

    Raises
    ------
    FormatError
        Not a PNG or JPEG, damaged, DICOM (not supported yet), or a colour photograph.
    RangeError
        Too many or too few pixels, or an impossible scale.
    """
    if content[128:132] == b"DICM":
        raise FormatError(f"{name}: DICOM is not supported yet; export the frame as PNG and give its pixel size")
    if pixel_size_mm is not None and not MIN_PIXEL_SIZE_MM <= pixel_size_mm <= MAX_PIXEL_SIZE_MM:
        raise RangeError(
            f"pixel size {pixel_size_mm:g} mm is outside {MIN_PIXEL_SIZE_MM:g} to {MAX_PIXEL_SIZE_MM:g} mm"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
                _check_size(name, *image.size)
                colour = np.asarray(image.convert("RGB"), dtype=np.int16)
                grey = np.asarray(image.convert("L"))
    except Image.DecompressionBombError:
        raise RangeError(f"{name}: more than {MAX_PIXELS:,} pixels") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise FormatError(f"{name}: not a readable PNG or JPEG ({type(error).__name__})") from None
    if np.mean(colour.max(axis=2) - colour.min(axis=2) > 40) > 0.25:
        raise FormatError(f"{name}: a colour picture, not a grey-scale ultrasound image")
    return UltrasoundImage(grey, pixel_size_mm, "typed" if pixel_size_mm is not None else "unknown")


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise RangeError(f"{name}: {width} x {height} pixels; at most {MAX_PIXELS:,} are accepted")
    if min(width, height) < MIN_SIDE:
        raise RangeError(f"{name}: {width} x {height} pixels; each side needs at least {MIN_SIDE}")
