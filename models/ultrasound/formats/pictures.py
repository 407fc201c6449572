"""PNG and JPEG into grey values."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from models.errors import FormatError, RangeError

MAX_PIXELS = 25_000_000
MIN_SIDE = 64
# A pixel counts as coloured when its channels differ by more than this; a tinted map stays below it.
COLOURED = 40
MAX_COLOURED_SHARE = 0.005
# Rounding of colour spaces, grey levels.
NEUTRAL = 6


def read(name: str, content: bytes) -> NDArray[np.uint8]:
    """Grey values of a PNG or JPEG, upright, shape (height, width).

    Raises
    ------
    FormatError
        Not a PNG or JPEG, damaged, or with colour in it.
    RangeError
        Too many or too few pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
                check_size(name, *image.size)
                return grey(name, ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise RangeError(f"{name}: more than {MAX_PIXELS:,} pixels") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FormatError(f"{name}: not a readable PNG or JPEG ({type(error).__name__})") from None


def grey(name: str, image: Image.Image) -> NDArray[np.uint8]:
    """8-bit grey values of a decoded picture of any mode.

    Transparent pixels are black. More than 8 bits are scaled by the bit depth that the brightest pixel needs.

    Raises
    ------
    FormatError
        There is colour in it.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return to_eight_bits(np.asarray(image).astype(np.float64))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    if image.mode not in ("L", "1"):
        check_colourless(name, np.asarray(image.convert("RGB")))
    return np.asarray(image.convert("L"))


def to_eight_bits(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale grey values of any depth by the bit depth that the brightest of them needs."""
    top = float(values.max(initial=0.0))
    bits = max(8, int(np.ceil(np.log2(top + 1)))) if top > 0 else 8
    return np.asarray(np.clip(np.round(values * (255.0 / (2**bits - 1))), 0, 255), dtype=np.uint8)


def check_colourless(name: str, colours: NDArray[np.uint8]) -> None:
    """Raise FormatError where the picture has colour in it: a Doppler overlay, or a photograph."""
    spread = colours.max(axis=2).astype(np.int16) - colours.min(axis=2)
    share = float(np.mean(spread > COLOURED))
    if share > MAX_COLOURED_SHARE:
        raise FormatError(
            f"{name}: {100 * share:.0f} % of the picture is coloured (a Doppler overlay, or no ultrasound image); "
            "export the grey-scale frame"
        )


def neutral(colours: NDArray[np.uint8]) -> bool:
    """Whether the second and third channel are those of grey in brightness and two colour differences."""
    differences = np.abs(colours[..., 1:].astype(np.int16) - 128)
    return bool(np.mean(differences.max(axis=2) > NEUTRAL) <= MAX_COLOURED_SHARE)


def equal(colours: NDArray[np.uint8]) -> bool:
    """Whether all three channels are the same, as in grey written as red, green and blue."""
    return bool(np.mean(np.ptp(colours.astype(np.int16), axis=2) > NEUTRAL) <= MAX_COLOURED_SHARE)


def check_size(name: str, width: int, height: int) -> None:
    """Raise RangeError where an image is too large to decode or too small to measure."""
    if width * height > MAX_PIXELS:
        raise RangeError(f"{name}: {width} x {height} pixels; at most {MAX_PIXELS:,} are accepted")
    if min(width, height) < MIN_SIDE:
        raise RangeError(f"{name}: {width} x {height} pixels; each side needs at least {MIN_SIDE}")
