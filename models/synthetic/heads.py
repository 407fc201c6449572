"""A speckled head phantom of known ellipse: for tests, demonstration and a newcomer's federation.

Marked synthetic wherever it shows; evidence of nothing clinical.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ultrasound.ellipse import Ellipse


def phantom(ellipse: Ellipse, height: int = 540, width: int = 800, seed: int = 0) -> NDArray[np.uint8]:
    """An image with a bright skull along `ellipse`, a midline, and speckle.

    Parameters
    ----------
    ellipse : Ellipse
        The skull's outer edge, px.

    Returns
    -------
    ndarray of uint8, shape (height, width)
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    cos, sin = np.cos(ellipse.angle), np.sin(ellipse.angle)
    u = ((x - ellipse.centre_x) * cos + (y - ellipse.centre_y) * sin) / ellipse.semi_major
    v = (-(x - ellipse.centre_x) * sin + (y - ellipse.centre_y) * cos) / ellipse.semi_minor
    radius = np.hypot(u, v)
    thickness = 10.0 / ellipse.semi_minor
    # The beam comes from above, so the skull is brightest where it lies across the beam.
    across = 0.35 + 0.65 * np.abs(v / np.maximum(radius, 1e-6))
    skull = np.exp(-(((radius - 1.0 + thickness / 2) / (thickness / 2)) ** 2)) * across
    midline = np.exp(-((v * ellipse.semi_minor / 3.0) ** 2)) * (np.abs(u) < 0.8) * 0.5
    tissue = np.where(radius < 1.0, 0.10, 0.24 + 0.10 * ndimage.gaussian_filter(rng.normal(size=x.shape), 24) * 24)
    speckle = ndimage.gaussian_filter(rng.rayleigh(1.0, size=x.shape), (0.8, 1.6))
    picture = np.clip((tissue + 0.9 * skull + midline) * speckle / 1.25, 0, 1)
    picture *= np.hypot(x - width / 2, y + 0.25 * height) < 1.2 * height
    return np.asarray(np.round(255 * picture), dtype=np.uint8)


def random_ellipse(rng: np.random.Generator, height: int = 540, width: int = 800) -> Ellipse:
    """A plausible head inside the image."""
    major = rng.uniform(0.2, 0.34) * width
    return Ellipse(
        width / 2 + rng.uniform(-0.08, 0.08) * width,
        height / 2 + rng.uniform(-0.06, 0.06) * height,
        major,
        major * rng.uniform(0.74, 0.86),
        float(rng.uniform(-0.4, 0.4)),
    )


def head_of(circumference_mm: float, pixel_size_mm: float, ratio: float = 0.79) -> Ellipse:
    """A head of this size in the middle of the image."""
    unit = Ellipse(0.0, 0.0, 1.0, ratio, 0.0).perimeter
    major = circumference_mm / pixel_size_mm / unit
    return Ellipse(400.0, 275.0, major, ratio * major, 0.08)
