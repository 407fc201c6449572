"""From a segmentation to the head's biometry: ellipse, circumference, diameters, intervals; several images as one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.growth.measures import BPD, HC, NORMAL_90, OFD, Measured
from models.ultrasound import gate
from models.ultrasound.ellipse import Array, Ellipse, edge_points, fit_robust
from models.ultrasound.image import Letterbox
from models.ultrasound.interval import Intervals

MIN_EDGE_POINTS = 12
OUTLINE_BINS = 72
NEAR_OUTLINE = 0.06


@dataclass(frozen=True)
class HeadEllipse:
    """The fitted head, in original pixels, and why it may not be trusted.

    Attributes
    ----------
    ellipse : Ellipse or None
        None when no ellipse can be fitted.
    traits : Traits or None
        What the gate judged.
    refusal : str or None
        Plain reason why the image is not measured; None when it is.
    """

    ellipse: Ellipse | None
    traits: gate.Traits | None
    refusal: str | None


@dataclass(frozen=True)
class HeadMeasurement:
    """Biometry of one head, mm, outer to outer, with 90 % conformal intervals.

    Attributes
    ----------
    values, intervals : dict
        By measure: circumference, biparietal and occipitofrontal diameter.
    cephalic_index : float
        BPD / OFD.
    images : int
        How many images it is the mean of.
    spread : float
        Largest difference between their circumferences, as a share of the mean; 0 for one image.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    cephalic_index: float
    images: int = 1
    spread: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def measured(self) -> dict[str, Measured]:
        """Each measure with its standard error, the interval's half-width taken as that of a normal error."""
        return {
            measure: Measured(value, (high - low) / 2 / NORMAL_90, "model")
            for (measure, value), (low, high) in zip(self.values.items(), self.intervals.values(), strict=True)
        }


def head_ellipse(logits: NDArray[np.float64], geometry: Letterbox, pixels: NDArray[np.uint8]) -> HeadEllipse:
    """Fit the head's ellipse to the mean of the views and judge it.

    Parameters
    ----------
    logits : ndarray of float, shape (views, 128, 192)
        Network output for the letterboxed image and its mirror images, turned back.
    geometry : Letterbox
    pixels : ndarray of uint8, shape (height, width)
        The original image.
    """
    height, width = pixels.shape
    mean = np.asarray(logits.mean(axis=0))
    x, y = edge_points(mean)
    if len(x) < MIN_EDGE_POINTS:
        return HeadEllipse(None, None, gate.NO_HEAD)
    try:
        framed, roughness = fit_robust(x, y)
        ellipse = framed.scaled(
            1.0 / geometry.scale_x,
            1.0 / geometry.scale_y,
            -geometry.offset_x / geometry.scale_x,
            -geometry.offset_y / geometry.scale_y,
        )
    except ValueError:
        return HeadEllipse(None, None, gate.NO_HEAD)
    inside = framed.mask(*mean.shape)
    outline = ellipse.points()
    beyond = (outline[:, 0] < 0) | (outline[:, 0] > width) | (outline[:, 1] < 0) | (outline[:, 1] > height)
    traits = gate.Traits(
        area_share=float(np.pi * ellipse.semi_major * ellipse.semi_minor / (height * width)),
        axis_ratio=ellipse.semi_minor / ellipse.semi_major,
        roughness=roughness,
        confidence=float(np.mean(1.0 / (1.0 + np.exp(-mean[inside])))) if inside.any() else 0.0,
        support=_support(framed, x, y),
        spread=_spread(logits),
        outside_share=float(beyond.mean()),
        inside_grey=_inside_grey(ellipse, pixels),
    )
    return HeadEllipse(ellipse, traits, gate.refusal(traits))


def _support(ellipse: Ellipse, x: Array, y: Array) -> float:
    near = np.abs(ellipse.residuals(x, y)) < NEAR_OUTLINE * 0.5 * (ellipse.semi_major + ellipse.semi_minor)
    around = np.arctan2(y[near] - ellipse.centre_y, x[near] - ellipse.centre_x)
    return len(np.unique(np.floor((around + np.pi) / (2 * np.pi) * OUTLINE_BINS))) / OUTLINE_BINS


def _inside_grey(ellipse: Ellipse, pixels: NDArray[np.uint8]) -> float:
    inside = pixels[::4, ::4][ellipse.scaled(0.25, 0.25).mask(-(-pixels.shape[0] // 4), -(-pixels.shape[1] // 4))]
    return float(np.median(inside)) if inside.size else 0.0


def _spread(logits: NDArray[np.float64]) -> float:
    """Relative standard deviation of the circumference over the views; 1 where a view shows no ellipse."""
    around = []
    for view in logits:
        try:
            around.append(fit_robust(*edge_points(view))[0].perimeter)
        except ValueError:
            return 1.0
    return float(np.std(around, ddof=1) / np.mean(around))


def axes_mm(ellipse: Ellipse, pixel_size_mm: float) -> dict[str, float]:
    """Circumference and diameters of an ellipse, mm."""
    return {
        HC: ellipse.perimeter * pixel_size_mm,
        BPD: 2 * ellipse.semi_minor * pixel_size_mm,
        OFD: 2 * ellipse.semi_major * pixel_size_mm,
    }


def measure(ellipse: Ellipse, pixel_size_mm: float, intervals: Intervals) -> HeadMeasurement:
    """Biometry of an ellipse.

    Parameters
    ----------
    ellipse : Ellipse
        In original pixels.
    pixel_size_mm : float
        Side of a pixel, mm, > 0.
    intervals : Intervals
        Of the bundle that found the ellipse.
    """
    values = axes_mm(ellipse, pixel_size_mm)
    bounds = {name: intervals.interval(name, value, values[HC]) for name, value in values.items()}
    return HeadMeasurement(values, bounds, ellipse.semi_minor / ellipse.semi_major)


def combined(heads: Sequence[HeadMeasurement]) -> HeadMeasurement:
    """Several images of one head as one measurement: the means of values and of interval ends.

    The interval does not shrink with the number of images: errors of one head's images go together.
    """
    values = {name: float(np.mean([head.values[name] for head in heads])) for name in heads[0].values}
    bounds = {
        name: (
            float(np.mean([head.intervals[name][0] for head in heads])),
            float(np.mean([head.intervals[name][1] for head in heads])),
        )
        for name in values
    }
    around = [head.values[HC] for head in heads]
    spread = (max(around) - min(around)) / values[HC]
    return HeadMeasurement(values, bounds, float(np.mean([h.cephalic_index for h in heads])), len(heads), spread)
