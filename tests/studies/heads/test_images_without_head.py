"""Images made to hold no measurable head do hold none."""

import numpy as np
import pytest

from models.datasets.hc18 import HeadImage
from models.synthetic.heads import phantom
from models.ultrasound.ellipse import Ellipse
from studies.heads import images_without_head

ELLIPSE = Ellipse(300, 270, 180, 140, 0.2)
RECORD = HeadImage("001_HC.png", "001", phantom(ELLIPSE, seed=1), 0.15, 100.0, ELLIPSE)


def test_a_crop_beside_the_head_touches_none_of_it() -> None:
    marked = np.where(ELLIPSE.mask(540, 800), 0, 200).astype(np.uint8)
    record = HeadImage("1_HC.png", "1", marked, 0.15, 100.0, ELLIPSE)
    crop = images_without_head.crop_beside(record, np.random.default_rng(0))
    assert crop is not None
    assert crop.min() == 200
    assert min(crop.shape) >= images_without_head.MIN_SIDE


def test_where_there_is_no_room_there_is_no_crop() -> None:
    wide = Ellipse(400, 270, 395, 265, 0)
    assert (
        images_without_head.crop_beside(HeadImage("1", "1", RECORD.pixels, 0.1, 1.0, wide), np.random.default_rng(0))
        is None
    )


def test_a_half_cuts_the_outline_open() -> None:
    half = images_without_head.half(RECORD, np.random.default_rng(0))
    assert half is not None
    assert half.shape in {(540, 400), (270, 800)}
    small = Ellipse(100, 100, 40, 30, 0)
    rng = np.random.default_rng(1)
    assert images_without_head.half(HeadImage("1", "1", RECORD.pixels, 0.1, 1.0, small), rng) is not None


def test_blocks_keep_their_grey_values() -> None:
    mixed = images_without_head.shuffled(RECORD, np.random.default_rng(0))
    assert mixed.shape == (540, 798)
    assert np.sort(mixed, axis=None).tolist() == np.sort(RECORD.pixels[:, :798], axis=None).tolist()


def test_every_kind_is_made_reproducibly() -> None:
    kinds = [made.kind for _, made in images_without_head.from_records([RECORD])]
    assert kinds == ["crop beside the head", "half that cuts the head", "blocks in another order"]
    one, two = (list(images_without_head.others(2, seed=3)) for _ in range(2))
    assert [n.kind for n in one] == ["photograph"] * 2 + ["speckle"] * 2 + ["phantom that is no head"] * 2
    assert all((a.pixels == b.pixels).all() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    "make", [images_without_head.textures, images_without_head.shapes, images_without_head.photographs]
)
def test_pictures_are_grey_and_not_empty(make: object) -> None:
    for pixels in make(3, np.random.default_rng(0)):  # type: ignore[operator]
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2
        assert pixels.std() > 5
