"""Training of the head segmenter on one site's images: loss, local epochs; and its prediction with torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.datasets.hc18 import HeadImage
from models.proximal import proximal_penalty
from models.ultrasound.augmentation import Outlines, augmented
from models.ultrasound.biometry import HeadEllipse, head_ellipse
from models.ultrasound.image import NETWORK_HEIGHT, NETWORK_WIDTH, letterbox, mirrored, unmirrored
from models.ultrasound.network import HeadSegmenter

# Training views are cut from a finer grid than the network's, so that they are not blurred twice.
SOURCE_HEIGHT, SOURCE_WIDTH = NETWORK_HEIGHT * 3 // 2, NETWORK_WIDTH * 3 // 2
# Images of rare sizes are drawn more often, by this power of how rare they are.
SIZE_BANDS_MM = (100.0, 150.0, 210.0, 260.0)
BALANCE = 0.5
WEIGHT_DECAY = 1e-3


@dataclass(frozen=True)
class SegmentationRows:
    """A site's images at the source grid.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 192, 288)
    outlines : ndarray of float32, shape (n, 5)
        Reference ellipse in source pixels: centre x and y, semi-axes, angle.
    circumferences_mm : ndarray of float64, shape (n,)
    """

    images: NDArray[np.uint8]
    outlines: NDArray[np.float32]
    circumferences_mm: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def weights(self) -> NDArray[np.float64]:
        """How often each is drawn, summing to 1."""
        band = np.digitize(self.circumferences_mm, SIZE_BANDS_MM)
        rarity = (1.0 / np.maximum(np.bincount(band, minlength=len(SIZE_BANDS_MM) + 1), 1)[band]) ** BALANCE
        return np.asarray(rarity / rarity.sum())

    def select(self, rows: NDArray[np.int64]) -> "SegmentationRows":
        """The given rows."""
        return SegmentationRows(self.images[rows], self.outlines[rows], self.circumferences_mm[rows])


def prepare(records: Sequence[HeadImage]) -> SegmentationRows:
    """Frame images and reference ellipses for training."""
    images = np.zeros((len(records), SOURCE_HEIGHT, SOURCE_WIDTH), dtype=np.uint8)
    outlines = np.zeros((len(records), 5), dtype=np.float32)
    for row, record in enumerate(records):
        images[row], geometry = letterbox(record.pixels, SOURCE_HEIGHT, SOURCE_WIDTH)
        ellipse = record.ellipse.scaled(geometry.scale_x, geometry.scale_y, geometry.offset_x, geometry.offset_y)
        outlines[row] = list(ellipse.as_dict().values())
    return SegmentationRows(images, outlines, np.array([record.head_circumference_mm for record in records]))


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy plus soft Dice."""
    cross_entropy = nn.functional.binary_cross_entropy_with_logits(logits, masks)
    probability = torch.sigmoid(logits)
    overlap = (probability * masks).sum(dim=(1, 2, 3))
    total = probability.sum(dim=(1, 2, 3)) + masks.sum(dim=(1, 2, 3))
    return cross_entropy + (1.0 - (2.0 * overlap + 1.0) / (total + 1.0)).mean()


def train_epochs(
    network: HeadSegmenter,
    rows: SegmentationRows,
    *,
    epochs: float,
    learning_rate: float,
    seed: int,
    batch_size: int = 4,
    proximal_mu: float = 0.0,
) -> list[float]:
    """Train in place with AdamW and return the loss of every batch.

    Parameters
    ----------
    network : HeadSegmenter
    rows : SegmentationRows
        The site's training images.
    epochs : float
        Draws, as a multiple of the site's rows: at least one batch.
    learning_rate : float
    seed : int
        Of drawing and augmentation.
    proximal_mu : float
        FedProx: half of it times the squared distance from the received weights is added to the loss
        (Li T et al. Federated optimization in heterogeneous networks. MLSys 2020).

    Raises
    ------
    ValueError
        The site has no rows.
    """
    if len(rows) == 0:
        raise ValueError("a site without images cannot train")
    generator = torch.Generator().manual_seed(seed)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY, betas=(0.9, 0.99))
    weights = torch.from_numpy(rows.weights)
    received = [parameter.detach().clone() for parameter in network.parameters()]
    losses = []
    drawn = torch.multinomial(weights, max(round(epochs * len(rows)), 1), replacement=True, generator=generator)
    for batch in torch.split(drawn, batch_size):
        index = batch.numpy()
        sources = torch.from_numpy(rows.images[index]).unsqueeze(1).float() / 255.0
        outlines = Outlines(*torch.from_numpy(rows.outlines[index]).unbind(dim=1))
        images, masks = augmented(sources, outlines, generator)
        optimiser.zero_grad(set_to_none=True)
        loss = segmentation_loss(network(images.to(memory_format=torch.channels_last)), masks)
        losses.append(float(loss.detach()))
        if proximal_mu > 0:
            loss = loss + proximal_penalty(network.parameters(), received, proximal_mu)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
    return losses


def predict_logits(network: HeadSegmenter, framed: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Log-odds of a letterboxed image and its mirror images, turned back, shape (4, 128, 192)."""
    network.eval()
    with torch.inference_mode():
        batch = torch.from_numpy(mirrored(framed)).unsqueeze(1).float() / 255.0
        return unmirrored(network(batch.contiguous(memory_format=torch.channels_last)).squeeze(1).numpy())


def predict_head(network: HeadSegmenter, pixels: NDArray[np.uint8]) -> HeadEllipse:
    """The head of a whole image, as serving finds it."""
    framed, geometry = letterbox(pixels)
    return head_ellipse(predict_logits(network, framed), geometry, pixels)
