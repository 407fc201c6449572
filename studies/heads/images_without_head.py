"""Images without a measurable head, made from HC18's own pictures, from photographs and from noise.

Each maker takes a source of randomness and returns grey pixels. The network has seen none of them in training.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.datasets.hc18 import HeadImage
from models.ultrasound.ellipse import Ellipse

Pixels = NDArray[np.uint8]
MIN_SIDE = 96
# A head of which less than this share of the outline is left cannot be closed.
CUT_SHARE = 0.7


@dataclass(frozen=True)
class Negative:
    """One image that must be refused."""

    kind: str
    source: str
    pixels: Pixels


def _outline_share(ellipse: Ellipse, left: int, top: int, right: int, bottom: int) -> float:
    x, y = ellipse.points().T
    return float(np.mean((x > left) & (x < right) & (y > top) & (y < bottom)))


def crop_beside(record: HeadImage, rng: np.random.Generator) -> Pixels | None:
    """A window of tissue beside the head, at least `MIN_SIDE` px a side and not black; None where there is none."""
    height, width = record.pixels.shape
    for _ in range(40):
        w, h = int(rng.uniform(0.2, 0.6) * width), int(rng.uniform(0.2, 0.6) * height)
        left, top = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        window = record.pixels[top : top + h, left : left + w]
        inside = record.ellipse.mask(height, width)[top : top + h, left : left + w]
        if min(w, h) >= MIN_SIDE and not inside.any() and np.mean(window > 20) > 0.5:
            return window
    return None


def half(record: HeadImage, rng: np.random.Generator) -> Pixels | None:
    """A half of the picture that cuts the head's outline open."""
    height, width = record.pixels.shape
    boxes = [
        (0, 0, width // 2, height),
        (width // 2, 0, width, height),
        (0, 0, width, height // 2),
        (0, height // 2, width, height),
    ]
    rng.shuffle(boxes)
    for left, top, right, bottom in boxes:
        if _outline_share(record.ellipse, left, top, right, bottom) < CUT_SHARE:
            return record.pixels[top:bottom, left:right]
    return None


def shuffled(record: HeadImage, rng: np.random.Generator) -> Pixels:
    """The picture's own blocks in another order."""
    height, width = (side // 6 * 6 for side in record.pixels.shape)
    blocks = record.pixels[:height, :width].reshape(6, height // 6, 6, width // 6).swapaxes(1, 2)
    mixed = blocks.reshape(36, height // 6, width // 6)[rng.permutation(36)]
    return np.ascontiguousarray(mixed.reshape(6, 6, height // 6, width // 6).swapaxes(1, 2).reshape(height, width))


def photographs(count: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Grey windows of the two photographs that come with scikit-learn (a temple, a flower)."""
    from sklearn.datasets import load_sample_images

    pictures = [picture.mean(axis=2).astype(np.uint8) for picture in load_sample_images().images]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        h, w = int(rng.uniform(0.3, 1.0) * picture.shape[0]), int(rng.uniform(0.3, 1.0) * picture.shape[1])
        top, left = int(rng.integers(0, picture.shape[0] - h + 1)), int(rng.integers(0, picture.shape[1] - w + 1))
        yield picture[top : top + h, left : left + w]


def textures(count: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Speckle over smooth fields in a sector, without any outline."""
    y, x = np.mgrid[0:540, 0:800].astype(float)
    for _ in range(count):
        field = ndimage.gaussian_filter(rng.normal(size=(540, 800)), rng.uniform(8, 60))
        field = (field - field.min()) / np.ptp(field)
        speckle = ndimage.gaussian_filter(rng.rayleigh(1.0, size=(540, 800)), (0.8, rng.uniform(1, 3)))
        sector = np.hypot(x - 400, y + 135) < rng.uniform(500, 700)
        yield np.asarray(np.clip(255 * 0.6 * field * speckle * sector, 0, 255), dtype=np.uint8)


def shapes(count: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Phantoms that are no head: bars, polygons and open arcs in speckle."""
    y, x = np.mgrid[0:540, 0:800].astype(float)
    for number in range(count):
        speckle = ndimage.gaussian_filter(rng.rayleigh(1.0, size=(540, 800)), (0.8, 1.6))
        cx, cy, radius = rng.uniform(250, 550), rng.uniform(180, 360), rng.uniform(80, 200)
        around = np.arctan2(y - cy, x - cx)
        if number % 3 == 0:  # a bar, like a femur
            turn = rng.uniform(0, np.pi)
            along, across = (
                (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn),
                -(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn),
            )
            bright = (np.abs(along) < radius) & (np.abs(across) < 8)
        elif number % 3 == 1:  # an open arc
            start = rng.uniform(-np.pi, np.pi)
            bright = (np.abs(np.hypot(x - cx, y - cy) - radius) < 6) & (
                ((around - start) % (2 * np.pi)) < rng.uniform(1.0, 2.6)
            )
        else:  # a triangle
            edge = radius / np.maximum(np.cos((around % (2 * np.pi / 3)) - np.pi / 3), 0.3)
            bright = np.abs(np.hypot(x - cx, y - cy) - edge * 0.6) < 6
        yield np.asarray(np.clip(255 * (0.2 + 0.7 * bright) * speckle / 1.25, 0, 255), dtype=np.uint8)


def from_records(records: list[HeadImage], seed: int = 0) -> Iterator[tuple[HeadImage, Negative]]:
    """For each image, one negative of every kind that can be made of it."""
    makers: dict[str, Callable[[HeadImage, np.random.Generator], Pixels | None]] = {
        "crop beside the head": crop_beside,
        "half that cuts the head": half,
        "blocks in another order": shuffled,
    }
    for number, record in enumerate(records):
        for kind, make in makers.items():
            pixels = make(record, np.random.default_rng([seed, number]))
            if pixels is not None:
                yield record, Negative(kind, record.name, pixels)


def others(count: int, seed: int = 0) -> Iterator[Negative]:
    """`count` negatives of each kind that needs no record."""
    for kind, make in (("photograph", photographs), ("speckle", textures), ("phantom that is no head", shapes)):
        for number, pixels in enumerate(make(count, np.random.default_rng(seed))):
            yield Negative(kind, str(number), pixels)
