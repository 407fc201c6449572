"""The canonical ultrasound image and its geometry at the network's input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NETWORK_HEIGHT = 128
NETWORK_WIDTH = 192


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
        Where the scale came from: ``"typed"``, ``"data set"`` or ``"unknown"``.
    """

    pixels: NDArray[np.uint8]
    pixel_size_mm: float | None = None
    scale_source: str = "unknown"

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True)
class Letterbox:
    """Map between original pixels and the padded network input: u = x * scale_x + offset_x."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float


def letterbox(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Letterbox]:
    """Resize a grey image, keeping its aspect ratio, into the network's frame.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)

    Returns
    -------
    framed : ndarray of uint8, shape (128, 192)
    geometry : Letterbox
        From original to framed coordinates (pixel centres at whole numbers).
    """
    height, width = pixels.shape
    ratio = min(NETWORK_WIDTH / width, NETWORK_HEIGHT / height)
    new_width, new_height = max(1, round(width * ratio)), max(1, round(height * ratio))
    resized = Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR)
    left, top = (NETWORK_WIDTH - new_width) // 2, (NETWORK_HEIGHT - new_height) // 2
    framed = np.zeros((NETWORK_HEIGHT, NETWORK_WIDTH), dtype=np.uint8)
    framed[top : top + new_height, left : left + new_width] = np.asarray(resized)
    scale_x, scale_y = new_width / width, new_height / height
    return framed, Letterbox(scale_x, scale_y, left + 0.5 * scale_x - 0.5, top + 0.5 * scale_y - 0.5)


def mirrored(framed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image and its three mirror images, shape (4, height, width)."""
    return np.stack([framed, framed[:, ::-1], framed[::-1], framed[::-1, ::-1]])


def unmirrored_mean(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of the four outputs, each turned back, shape (height, width)."""
    back = (logits[0], logits[1][:, ::-1], logits[2][::-1], logits[3][::-1, ::-1])
    return np.asarray(np.mean(np.stack(back).astype(np.float64), axis=0))
