"""Ellipses: direct least-squares fit, perimeter, rasterisation and sub-pixel edges of a probability map.

Pixel centres lie at whole numbers, x to the right, y downwards.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in pixel coordinates.

    Attributes
    ----------
    centre_x, centre_y : float
        Centre, px.
    semi_major, semi_minor : float
        Semi-axes, px, ``semi_major >= semi_minor > 0``.
    angle : float
        From +x towards +y to the major axis, radians, in (-pi/2, pi/2].
    """

    centre_x: float
    centre_y: float
    semi_major: float
    semi_minor: float
    angle: float

    @property
    def perimeter(self) -> float:
        """Exact perimeter, px: 4 a E(e^2), the complete elliptic integral of the second kind."""
        eccentricity_squared = 1.0 - (self.semi_minor / self.semi_major) ** 2
        return float(4.0 * self.semi_major * special.ellipe(eccentricity_squared))

    def points(self, count: int = 180) -> Array:
        """`count` points on the outline, shape (count, 2), columns x and y, px."""
        t = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
        u, v = self.semi_major * np.cos(t), self.semi_minor * np.sin(t)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.column_stack([self.centre_x + u * cos - v * sin, self.centre_y + u * sin + v * cos])

    def scaled(self, x: float, y: float, offset_x: float = 0.0, offset_y: float = 0.0) -> "Ellipse":
        """Map the outline by (x', y') = (x * X + offset_x, y * Y + offset_y) and fit again."""
        outline = self.points(64)
        return fit_ellipse(outline[:, 0] * x + offset_x, outline[:, 1] * y + offset_y)

    def residuals(self, x: Array, y: Array) -> Array:
        """Approximate signed distance (px) of points to the outline, positive outside."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        dx, dy = x - self.centre_x, y - self.centre_y
        u, v = dx * cos + dy * sin, -dx * sin + dy * cos
        radius = np.sqrt((u / self.semi_major) ** 2 + (v / self.semi_minor) ** 2)
        gradient = np.sqrt((u / self.semi_major**2) ** 2 + (v / self.semi_minor**2) ** 2)
        return np.asarray((radius - 1.0) * radius / np.maximum(gradient, 1e-9))

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """The filled ellipse as a boolean image, shape (height, width)."""
        return self.coverage(height, width, supersampling=1) > 0.5

    def coverage(self, height: int, width: int, supersampling: int = 4) -> NDArray[np.float32]:
        """Share of each pixel inside the ellipse, shape (height, width), in [0, 1]."""
        step = (np.arange(supersampling) + 0.5) / supersampling - 0.5
        y = (np.arange(height)[:, None] + step).ravel() - self.centre_y
        x = (np.arange(width)[:, None] + step).ravel() - self.centre_x
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        u = (x[None, :] * cos + y[:, None] * sin) / self.semi_major
        v = (-x[None, :] * sin + y[:, None] * cos) / self.semi_minor
        inside = (u * u + v * v <= 1.0).astype(np.float32)
        return np.asarray(inside.reshape(height, supersampling, width, supersampling).mean(axis=(1, 3)))

    def as_dict(self) -> dict[str, float]:
        """The five parameters by name."""
        return asdict(self)


def fit_ellipse(x: Array, y: Array) -> Ellipse:
    """Fit an ellipse to points by direct least squares.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,), n >= 6
        Points on the outline, px.

    Raises
    ------
    ValueError
        The points lie on no ellipse (too few, collinear, or a hyperbola fits better).

    References
    ----------
    Halir R, Flusser J. Numerically stable direct least squares fitting of ellipses. WSCG 1998.
    """
    if len(x) < 6:
        raise ValueError("an ellipse needs at least six points")
    mean_x, mean_y = float(np.mean(x)), float(np.mean(y))
    scale = max(float(np.std(x)), float(np.std(y)), 1e-9)
    u, v = (np.asarray(x) - mean_x) / scale, (np.asarray(y) - mean_y) / scale
    quadratic = np.column_stack([u * u, u * v, v * v])
    linear = np.column_stack([u, v, np.ones_like(u)])
    s1, s2, s3 = quadratic.T @ quadratic, quadratic.T @ linear, linear.T @ linear
    try:
        reduction = -np.linalg.solve(s3, s2.T)
    except np.linalg.LinAlgError:
        raise ValueError("the points lie on a line") from None
    m = s1 + s2 @ reduction
    m = np.array([m[2] / 2.0, -m[1], m[0] / 2.0])
    _, vectors = np.linalg.eig(m)
    vectors = np.real(vectors)
    condition = 4.0 * vectors[0] * vectors[2] - vectors[1] ** 2
    if not np.any(condition > 0):
        raise ValueError("no ellipse fits the points")
    first = vectors[:, int(np.argmax(condition))]
    return _from_conic(first, reduction @ first, scale, (mean_x, mean_y))


def _from_conic(quadratic: Array, linear: Array, scale: float, origin: tuple[float, float]) -> Ellipse:
    """The ellipse in pixels of a conic in normalised coordinates.

    The conic is a x^2 + b x y + c y^2 + d x + e y + f = 0 with (a, b, c) in `quadratic` and (d, e, f) in `linear`.
    """
    a, b, c = quadratic
    d, e, f = linear
    shape = np.array([[a, b / 2.0], [b / 2.0, c]])
    centre = -0.5 * np.linalg.solve(shape, np.array([d, e]))
    level = float(centre @ shape @ centre - f)
    values, axes = np.linalg.eigh(shape / level)
    if np.any(values <= 0) or not np.all(np.isfinite(values)):
        raise ValueError("no ellipse fits the points")
    major, minor = 1.0 / np.sqrt(values[0]), 1.0 / np.sqrt(values[1])
    direction = axes[:, 0]
    angle = float(np.arctan2(direction[1], direction[0]))
    if angle <= -np.pi / 2:
        angle += np.pi
    elif angle > np.pi / 2:
        angle -= np.pi
    return Ellipse(
        float(centre[0] * scale + origin[0]),
        float(centre[1] * scale + origin[1]),
        float(major * scale),
        float(minor * scale),
        angle,
    )


def edge_points(logit: Array) -> tuple[Array, Array]:
    """Sub-pixel zero crossings of a logit map around its largest connected positive region.

    Parameters
    ----------
    logit : ndarray of float, shape (height, width)
        Log-odds of belonging to the head.

    Returns
    -------
    x, y : ndarray of float
        Crossing points on rows and columns, px; empty if no pixel is positive.
    """
    labels, count = ndimage.label(logit > 0)
    if count == 0:
        return np.empty(0), np.empty(0)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    region = ndimage.binary_fill_holes(labels == int(np.argmax(sizes)))
    outside = np.minimum(logit, -1e-3)
    inside = np.maximum(logit, 1e-3)
    clean = np.where(region, inside, outside)
    xs, ys = [], []
    rows, columns = np.nonzero(region[:, 1:] != region[:, :-1])
    left, right = clean[rows, columns], clean[rows, columns + 1]
    xs.append(columns + left / (left - right))
    ys.append(rows.astype(float))
    rows, columns = np.nonzero(region[1:, :] != region[:-1, :])
    above, below = clean[rows, columns], clean[rows + 1, columns]
    xs.append(columns.astype(float))
    ys.append(rows + above / (above - below))
    return np.concatenate(xs), np.concatenate(ys)


def fit_robust(x: Array, y: Array, rounds: int = 3, cut: float = 2.5) -> tuple[Ellipse, float]:
    """Fit an ellipse, dropping points further than `cut` robust standard deviations, `rounds` times.

    Returns
    -------
    ellipse : Ellipse
    roughness : float
        Root mean square residual of all points over the mean semi-axis: 0 for a perfect ellipse.

    Raises
    ------
    ValueError
        No ellipse fits.
    """
    ellipse = fit_ellipse(x, y)
    for _ in range(rounds):
        residual = ellipse.residuals(x, y)
        spread = 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) + 0.1
        keep = np.abs(residual) <= cut * spread
        if keep.sum() < 12 or keep.all():
            break
        ellipse = fit_ellipse(x[keep], y[keep])
    residual = ellipse.residuals(x, y)
    mean_axis = 0.5 * (ellipse.semi_major + ellipse.semi_minor)
    return ellipse, float(np.sqrt(np.mean(residual**2)) / mean_axis)
