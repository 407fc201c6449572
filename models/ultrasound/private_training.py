"""Training of the head segmenter with differential privacy for single images (DP-SGD), by Opacus.

Abadi M et al. Deep learning with differential privacy. CCS 2016. Images are drawn independently (Poisson), each one's
gradient is clipped, noise is added to the sum; the accountant is Rényi's (Mironov 2017). One augmented view an image.
"""

from dataclasses import dataclass

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.accountants import RDPAccountant
from opacus.optimizers import DPOptimizer
from torch import nn

from models.ultrasound.augmentation import Outlines, augmented
from models.ultrasound.network import HeadSegmenter
from models.ultrasound.training import SegmentationRows, segmentation_loss


@dataclass(frozen=True)
class NoiseSettings:
    """How much a single image may show.

    Attributes
    ----------
    noise_multiplier : float
        Standard deviation of the noise, in clipping norms.
    clipping_norm : float
        Longest gradient of one image.
    delta : float
        Probability with which the promise may fail.
    """

    noise_multiplier: float
    clipping_norm: float
    delta: float


def sampling_rate(rows: int, batch_size: int) -> float:
    """Probability with which each image is drawn into a batch."""
    return min(batch_size / rows, 1.0)


def steps_of(epochs: float, rows: int, batch_size: int) -> int:
    """Batches in so many passes."""
    return max(round(epochs * rows / batch_size), 1)


def epsilon(history: list[tuple[float, float, int]], delta: float) -> float:
    """Epsilon of training steps taken together.

    Parameters
    ----------
    history : list of (noise multiplier, sampling rate, steps)
    delta : float
    """
    if not history:
        return 0.0
    accountant = RDPAccountant()
    accountant.history = list(history)
    return float(accountant.get_epsilon(delta))


def train_private_epochs(
    network: HeadSegmenter,
    rows: SegmentationRows,
    *,
    epochs: float,
    learning_rate: float,
    batch_size: int,
    noise: NoiseSettings,
    seed: int,
) -> list[float]:
    """Train in place with AdamW on clipped, noised gradients; the loss of every batch that was not empty.

    Parameters
    ----------
    network : HeadSegmenter
        Without batch normalisation, whose statistics would mix images.
    rows : SegmentationRows
    epochs, learning_rate, batch_size
        As `train_epochs`; `batch_size` is the expected one.
    noise : NoiseSettings
    seed : int
        Of drawing, augmentation and noise. It must stay secret, and be another one for other weights.

    Raises
    ------
    ValueError
        The site has no rows, or the network has batch normalisation.
    """
    if len(rows) == 0:
        raise ValueError("a site without images cannot train")
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()):
        raise ValueError("batch normalisation mixes images: no privacy for one of them; use group normalisation")
    for module in network.modules():
        if isinstance(module, nn.SiLU):
            module.inplace = False  # gradients of single images are taken at its input
    generator = torch.Generator().manual_seed(seed)
    wrapped = GradSampleModule(network.train())
    plain = torch.optim.AdamW(wrapped.parameters(), lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.99))
    optimiser = DPOptimizer(
        plain,
        noise_multiplier=noise.noise_multiplier,
        max_grad_norm=noise.clipping_norm,
        expected_batch_size=max(round(sampling_rate(len(rows), batch_size) * len(rows)), 1),
        generator=generator,
    )
    losses = []
    for _ in range(steps_of(epochs, len(rows), batch_size)):
        drawn = torch.rand(len(rows), generator=generator) < sampling_rate(len(rows), batch_size)
        index = np.flatnonzero(drawn.numpy())
        optimiser.zero_grad(set_to_none=True)
        if len(index):
            sources = torch.from_numpy(rows.images[index]).unsqueeze(1).float() / 255.0
            outlines = Outlines(*torch.from_numpy(rows.outlines[index]).unbind(dim=1))
            images, masks = augmented(sources, outlines, generator)
            loss = segmentation_loss(wrapped(images.requires_grad_()), masks)  # Opacus' hooks ask for it
            losses.append(float(loss.detach()))
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            for parameter in wrapped.parameters():
                parameter.grad_sample = torch.zeros((0, *parameter.shape))
        optimiser.step()
    wrapped.remove_hooks()
    return losses
