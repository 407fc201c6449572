"""Training of the head segmenter on one site's images: augmentation, loss, local epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.datasets.hc18 import HeadImage
from models.ultrasound.biometry import HeadEllipse, head_ellipse
from models.ultrasound.image import NETWORK_HEIGHT, NETWORK_WIDTH, letterbox, mirrored, unmirrored_mean
from models.ultrasound.network import HeadSegmenter


@dataclass(frozen=True)
class SegmentationRows:
    """A site's images at the network's size.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 128, 192)
    masks : ndarray of uint8, shape (n, 128, 192)
        Share of each pixel inside the reference ellipse, 0 to 255.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: NDArray[np.int64]) -> "SegmentationRows":
        """The given rows."""
        return SegmentationRows(self.images[rows], self.masks[rows])


def prepare(records: Sequence[HeadImage]) -> SegmentationRows:
    """Frame images and reference ellipses for the network."""
    images = np.zeros((len(records), NETWORK_HEIGHT, NETWORK_WIDTH), dtype=np.uint8)
    masks = np.zeros_like(images)
    for row, record in enumerate(records):
        images[row], geometry = letterbox(record.pixels)
        ellipse = record.ellipse.scaled(geometry.scale_x, geometry.scale_y, geometry.offset_x, geometry.offset_y)
        masks[row] = np.round(255 * ellipse.coverage(NETWORK_HEIGHT, NETWORK_WIDTH))
    return SegmentationRows(images, masks)


def _augment(images: Tensor, masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random flip, rotation, isotropic scale, shift, gain and gamma; image and mask move together.

    The scale is only a change of view: the measurement in mm is made after the mapping back.
    """
    n = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    angle = uniform(-0.45, 0.45)
    zoom = torch.exp(uniform(-0.25, 0.25))
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    upside = torch.where(torch.rand(n, generator=generator) < 0.3, -1.0, 1.0)
    aspect = NETWORK_HEIGHT / NETWORK_WIDTH
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = zoom * torch.cos(angle) * flip
    theta[:, 0, 1] = -zoom * torch.sin(angle) * aspect * flip
    theta[:, 1, 0] = zoom * torch.sin(angle) / aspect * upside
    theta[:, 1, 1] = zoom * torch.cos(angle) * upside
    theta[:, 0, 2] = uniform(-0.12, 0.12)
    theta[:, 1, 2] = uniform(-0.12, 0.12)
    both = torch.cat([images, masks], dim=1)
    grid = nn.functional.affine_grid(theta, list(both.shape), align_corners=False)
    both = nn.functional.grid_sample(both, grid, align_corners=False)
    gamma = torch.exp(uniform(-0.35, 0.35)).view(n, 1, 1, 1)
    gain = uniform(0.75, 1.25).view(n, 1, 1, 1)
    return (both[:, :1].clamp(1e-4, 1) ** gamma * gain).clamp(0, 1), both[:, 1:]


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
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
    epochs: int,
    learning_rate: float,
    seed: int,
    batch_size: int = 8,
) -> float:
    """Train in place with AdamW and return the mean loss of the last epoch.

    Parameters
    ----------
    network : HeadSegmenter
    rows : SegmentationRows
        The site's training images.
    epochs : int
        Passes over the site's rows.
    learning_rate : float
    seed : int
        Of shuffling and augmentation.

    Raises
    ------
    ValueError
        The site has no rows.
    """
    if len(rows) == 0:
        raise ValueError("a site without images cannot train")
    generator = torch.Generator().manual_seed(seed)
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-4)
    mean = float("nan")
    for _ in range(epochs):
        losses = []
        for batch in torch.split(torch.randperm(len(rows), generator=generator), batch_size):
            index = batch.numpy()
            images = torch.from_numpy(rows.images[index]).unsqueeze(1).float() / 255.0
            masks = torch.from_numpy(rows.masks[index]).unsqueeze(1).float() / 255.0
            images, masks = _augment(images, masks, generator)
            optimiser.zero_grad(set_to_none=True)
            loss = _loss(network(images), masks)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            losses.append(float(loss.detach()))
        mean = float(np.mean(losses))
    return mean


def predict_heads(network: HeadSegmenter, records: Sequence[HeadImage]) -> list[HeadEllipse]:
    """Heads of whole images, as serving finds them: letterbox, mean logits over mirror images, ellipse."""
    heads = []
    for record in records:
        framed, geometry = letterbox(record.pixels)
        logits = unmirrored_mean(predict_logits(network, mirrored(framed)))
        heads.append(head_ellipse(logits, geometry, *record.pixels.shape))
    return heads


def predict_logits(network: HeadSegmenter, images: NDArray[np.uint8], batch_size: int = 16) -> NDArray[np.float32]:
    """Log-odds for framed images, shape (n, 128, 192)."""
    network.eval()
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(images[start : start + batch_size]).unsqueeze(1).float() / 255.0
            outputs.append(network(batch).squeeze(1).numpy())
    return np.concatenate(outputs) if outputs else np.empty((0, NETWORK_HEIGHT, NETWORK_WIDTH), np.float32)
