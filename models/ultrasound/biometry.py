"""From a segmentation to the head's biometry: ellipse, circumference, diameters, interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ultrasound.ellipse import Ellipse, edge_points, fit_robust
from models.ultrasound.image import Letterbox

MAX_ROUGHNESS = 0.06
MIN_AREA_SHARE = 0.01
MAX_OUTSIDE_SHARE = 0.25


@dataclass(frozen=True)
class HeadEllipse:
    """The fitted head, in original pixels, and why it may not be trusted.

    Attributes
    ----------
    ellipse : Ellipse or None
        None when no ellipse can be fitted.
    roughness : float
        Root mean square distance of the edge to the ellipse, as a share of the mean semi-axis.
    confidence : float
        Mean probability inside the ellipse, 0 to 1.
    refusal : str or None
        Plain reason why the image is not measured; None when it is.
    """

    ellipse: Ellipse | None
    roughness: float
    confidence: float
    refusal: str | None


@dataclass(frozen=True)
class HeadMeasurement:
    """Biometry in mm.

    Attributes
    ----------
    head_circumference_mm, biparietal_diameter_mm, occipitofrontal_diameter_mm : float
        Outer to outer, of the ellipse.
    interval_mm : tuple of float
        90 % split-conformal interval of the circumference.
    cephalic_index : float
        BPD / OFD.
    """

    head_circumference_mm: float
    biparietal_diameter_mm: float
    occipitofrontal_diameter_mm: float
    interval_mm: tuple[float, float]
    cephalic_index: float


def head_ellipse(logit: NDArray[np.float64], geometry: Letterbox, height: int, width: int) -> HeadEllipse:
    """Fit the head's ellipse and judge it.

    Parameters
    ----------
    logit : ndarray of float, shape (128, 192)
        Network output for the letterboxed image.
    geometry : Letterbox
    height, width : int
        Size of the original image, px.
    """
    x, y = edge_points(logit)
    nothing = HeadEllipse(None, float("nan"), 0.0, "no fetal head was found in the image")
    if len(x) < 12:
        return nothing
    try:
        framed, roughness = fit_robust(x, y)
        ellipse = framed.scaled(
            1.0 / geometry.scale_x,
            1.0 / geometry.scale_y,
            -geometry.offset_x / geometry.scale_x,
            -geometry.offset_y / geometry.scale_y,
        )
    except ValueError:
        return nothing
    inside = framed.mask(*logit.shape)
    confidence = float(np.mean(1.0 / (1.0 + np.exp(-logit[inside])))) if inside.any() else 0.0
    return HeadEllipse(ellipse, roughness, confidence, _refusal(ellipse, roughness, confidence, height, width))


def _refusal(ellipse: Ellipse, roughness: float, confidence: float, height: int, width: int) -> str | None:
    area_share = np.pi * ellipse.semi_major * ellipse.semi_minor / (height * width)
    outline = ellipse.points()
    outside = np.mean((outline[:, 0] < 0) | (outline[:, 0] > width) | (outline[:, 1] < 0) | (outline[:, 1] > height))
    if area_share < MIN_AREA_SHARE:
        return "what looks like a head is too small to measure"
    if not 0.5 <= ellipse.semi_minor / ellipse.semi_major <= 1.0:
        return "the outline found is too elongated for a head"
    if roughness > MAX_ROUGHNESS:
        return "the outline found is not an ellipse"
    if confidence < 0.8:
        return "the network is not sure that this is a head"
    if outside > MAX_OUTSIDE_SHARE:
        return "the head is cut off by the edge of the image"
    return None


def measure(ellipse: Ellipse, pixel_size_mm: float, error_quantile: float) -> HeadMeasurement:
    """Biometry of an ellipse.

    Parameters
    ----------
    ellipse : Ellipse
        In original pixels.
    pixel_size_mm : float
        Side of a pixel, mm, > 0.
    error_quantile : float
        Conformal 90 % quantile of |HC error| / HC, out of fold.
    """
    circumference = ellipse.perimeter * pixel_size_mm
    minor, major = 2 * ellipse.semi_minor * pixel_size_mm, 2 * ellipse.semi_major * pixel_size_mm
    half = error_quantile * circumference
    return HeadMeasurement(circumference, minor, major, (circumference - half, circumference + half), minor / major)
