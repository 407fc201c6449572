"""The canonical ultrasound image, how its scale was stated, and its geometry at the network's input."""

from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import InputError, RangeError
from models.origin import UNKNOWN_ORIGIN, Origin

NETWORK_HEIGHT = 128
NETWORK_WIDTH = 192
MIN_PIXEL_SIZE_MM = 0.02
WHOLE_PICTURE = "no ultrasound region is stated: the whole picture is stored, with any text that is in it"
MAX_PIXEL_SIZE_MM = 1.0


@dataclass(frozen=True)
class UltrasoundImage:
    """One frame.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width)
        Grey values.
    pixel_size_mm : float or None
        Side of a (square) pixel, mm; None when the scale is unknown.
    scale_source : str
        Where the scale came from: ``"typed"``, ``"calliper"``, ``"DICOM region"``, ``"data set"`` or ``"unknown"``.
    origin : Origin
        When it was acquired and of whom it is, as far as the file says; held in memory only.
    remarks : tuple of str
        What of the file was understood in another way than it says.
    """

    pixels: NDArray[np.uint8]
    pixel_size_mm: float | None = None
    scale_source: str = "unknown"
    origin: Origin = UNKNOWN_ORIGIN
    remarks: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class Scale:
    """A scale as a person states it; with neither part it is unknown and stays so.

    Attributes
    ----------
    pixel_size_mm : float or None
        As typed.
    calliper : tuple of float or None
        ``(x0, y0, x1, y1, length_mm)``: a line drawn over something of known length, such as the depth ruler.
    """

    pixel_size_mm: float | None = None
    calliper: tuple[float, float, float, float, float] | None = None

    def stated(self) -> tuple[float | None, str]:
        """mm a pixel, and where it came from.

        Raises
        ------
        InputError
            Both parts are given, or the calliper has no length.
        RangeError
            A pixel no ultrasound image has.
        """
        if self.pixel_size_mm is not None and self.calliper is not None:
            raise InputError("give either a pixel size or a calliper of known length, not both")
        if self.calliper is not None:
            x0, y0, x1, y1, length_mm = self.calliper
            pixels = hypot(x1 - x0, y1 - y0)
            if pixels < 20:
                raise InputError(f"the calliper is {pixels:.0f} pixels long; draw it over at least 20")
            return checked_pixel_size(length_mm / pixels, "the calliper makes a pixel of"), "calliper"
        if self.pixel_size_mm is not None:
            return checked_pixel_size(self.pixel_size_mm, "pixel size"), "typed"
        return None, "unknown"


def checked_pixel_size(pixel_size_mm: float, words: str) -> float:
    """The pixel size, or RangeError where no ultrasound image has it."""
    if not MIN_PIXEL_SIZE_MM <= pixel_size_mm <= MAX_PIXEL_SIZE_MM:
        raise RangeError(f"{words} {pixel_size_mm:g} mm is outside {MIN_PIXEL_SIZE_MM:g} to {MAX_PIXEL_SIZE_MM:g} mm")
    return pixel_size_mm


@dataclass(frozen=True)
class Letterbox:
    """Map between original pixels and the padded network input: u = x * scale_x + offset_x."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float


def letterbox(
    pixels: NDArray[np.uint8], height: int = NETWORK_HEIGHT, width: int = NETWORK_WIDTH
) -> tuple[NDArray[np.uint8], Letterbox]:
    """Resize a grey image, keeping its aspect ratio, into a frame.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns)
    height, width : int
        Of the frame; by default the network's.

    Returns
    -------
    framed : ndarray of uint8, shape (height, width)
    geometry : Letterbox
        From original to framed coordinates (pixel centres at whole numbers).
    """
    rows, columns = pixels.shape
    ratio = min(width / columns, height / rows)
    new_width, new_height = max(1, round(columns * ratio)), max(1, round(rows * ratio))
    resized = Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR)
    left, top = (width - new_width) // 2, (height - new_height) // 2
    framed = np.zeros((height, width), dtype=np.uint8)
    framed[top : top + new_height, left : left + new_width] = np.asarray(resized)
    scale_x, scale_y = new_width / columns, new_height / rows
    return framed, Letterbox(scale_x, scale_y, left + 0.5 * scale_x - 0.5, top + 0.5 * scale_y - 0.5)


def mirrored(framed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image and its three mirror images, shape (4, height, width)."""
    return np.stack([framed, framed[:, ::-1], framed[::-1], framed[::-1, ::-1]])


def unmirrored(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The outputs for `mirrored`, each turned back, shape (4, height, width)."""
    back = (logits[0], logits[1][:, ::-1], logits[2][::-1], logits[3][::-1, ::-1])
    return np.stack(back).astype(np.float64)
