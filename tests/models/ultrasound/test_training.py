"""Views of training images, and training on phantoms (where torch is installed)."""

import numpy as np
import pytest

from models.datasets.hc18 import HeadImage
from models.synthetic.heads import phantom, random_ellipse
from models.ultrasound.ellipse import Ellipse

torch = pytest.importorskip("torch")


from models.ultrasound.augmentation import Outlines, augmented
from models.ultrasound.network import HeadSegmenter
from models.ultrasound.training import SOURCE_HEIGHT, SOURCE_WIDTH, predict_head, prepare, train_epochs


def records(count: int) -> list[HeadImage]:
    rng = np.random.default_rng(0)
    images = []
    for number in range(count):
        ellipse = random_ellipse(rng)
        around = ellipse.perimeter * 0.15
        images.append(
            HeadImage(f"{number:03d}_HC.png", f"{number:03d}", phantom(ellipse, seed=number), 0.15, around, ellipse)
        )
    return images


def test_distance_is_that_of_the_ellipse() -> None:
    ellipse = Ellipse(130, 90, 60, 44, 0.4)
    y, x = np.mgrid[0:192, 0:288].astype(float)
    distance = Outlines(*(torch.tensor([v], dtype=torch.float32) for v in ellipse.as_dict().values())).distance(
        torch.from_numpy(x).float()[None], torch.from_numpy(y).float()[None]
    )
    expected = ellipse.residuals(x.ravel(), y.ravel()).reshape(x.shape)
    near = np.abs(expected) < 20
    np.testing.assert_allclose(distance[0].numpy()[near], expected[near], atol=1e-3)


def test_image_and_mask_move_together() -> None:
    """A source that is white inside its head: every view's mask is where the view is bright."""
    ellipse = Ellipse(140, 96, 60, 46, 0.2)
    inside = ellipse.coverage(SOURCE_HEIGHT, SOURCE_WIDTH)
    sources = torch.from_numpy(np.stack([inside] * 16))[:, None].float()
    outlines = Outlines(*(torch.full((16,), v) for v in ellipse.as_dict().values()))
    images, masks = augmented(sources, outlines, torch.Generator().manual_seed(3))
    assert images.shape == masks.shape == (16, 1, 128, 192)
    for image, mask in zip(images[:, 0].numpy(), masks[:, 0].numpy(), strict=True):
        sure = (mask == 0) | (mask == 1)
        assert np.mean((image > 0.1)[sure] == (mask == 1)[sure]) > 0.99
    sizes = masks.sum(dim=(1, 2, 3))
    assert sizes.max() > 1.3 * sizes.min()


def test_views_are_reproducible() -> None:
    rows = prepare(records(2))
    sources = torch.from_numpy(rows.images).unsqueeze(1).float() / 255
    outlines = Outlines(*torch.from_numpy(rows.outlines).unbind(dim=1))
    first, second = (augmented(sources, outlines, torch.Generator().manual_seed(5))[0] for _ in range(2))
    assert torch.equal(first, second)


def test_rare_sizes_are_drawn_more_often() -> None:
    first = records(1)[0]
    common = [HeadImage(f"{k:03d}_HC.png", f"{k:03d}", first.pixels, 0.15, 180.0, first.ellipse) for k in range(9)]
    rows = prepare([*common, HeadImage("009_HC.png", "009", first.pixels, 0.15, 40.0, first.ellipse)])
    assert rows.weights.sum() == pytest.approx(1)
    assert rows.weights[-1] == pytest.approx(3 * rows.weights[0])


@pytest.mark.slow
def test_a_few_epochs_find_phantoms() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    network, phantoms = HeadSegmenter(), records(18)
    rows = prepare(phantoms)
    losses = [np.mean(train_epochs(network, rows, epochs=4, learning_rate=3e-3, seed=k)) for k in range(5)]
    assert losses[-1] < 0.5 * losses[0]
    heads = [predict_head(network, record.pixels).ellipse for record in phantoms[:6]]
    errors = [
        abs(head.perimeter / record.ellipse.perimeter - 1) if head else 1.0
        for head, record in zip(heads, phantoms, strict=False)
    ]
    assert np.median(errors) < 0.06


def test_a_site_without_images_cannot_train() -> None:
    with pytest.raises(ValueError, match="without images"):
        train_epochs(HeadSegmenter(), prepare([]), epochs=1, learning_rate=1e-3, seed=0)
