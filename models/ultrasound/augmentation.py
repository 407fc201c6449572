"""Views of training images: image and outline move together.

The scale of a view is only a change of view: the network is never told the pixel size, and mm are computed after the
outline is mapped back. The target is drawn from the ellipse itself, not resampled from a mask.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.ultrasound.image import NETWORK_HEIGHT, NETWORK_WIDTH

ASPECT = NETWORK_HEIGHT / NETWORK_WIDTH
SHIFT = 0.15


@dataclass(frozen=True)
class Outlines:
    """Reference ellipses in source pixels, shape (n,) each."""

    centre_x: Tensor
    centre_y: Tensor
    semi_major: Tensor
    semi_minor: Tensor
    angle: Tensor

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Approximate signed distance (source px) of points to the outline, positive outside.

        Parameters
        ----------
        x, y : Tensor, shape (n, height, width)
        """
        a, b, c, s = (
            t.view(-1, 1, 1) for t in (self.semi_major, self.semi_minor, torch.cos(self.angle), torch.sin(self.angle))
        )
        dx, dy = x - self.centre_x.view(-1, 1, 1), y - self.centre_y.view(-1, 1, 1)
        u, v = dx * c + dy * s, -dx * s + dy * c
        radius = torch.sqrt((u / a) ** 2 + (v / b) ** 2)
        gradient = torch.sqrt((u / a**2) ** 2 + (v / b**2) ** 2).clamp(min=1e-6)
        return (radius - 1.0) * radius / gradient


def augmented(sources: Tensor, outlines: Outlines, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One random view of each source image, with its target.

    Flip, rotation, isotropic scale with a little stretch, shift, gain, gamma and slow lateral and depth gain.

    Parameters
    ----------
    sources : Tensor of float32, shape (n, 1, height, width), in [0, 1]
        At a finer grid than the network's.
    outlines : Outlines
        In source pixels.

    Returns
    -------
    images, masks : Tensor of float32, shape (n, 1, 128, 192)
        `masks` is the share of each pixel inside the head.
    """
    n, _, height, width = sources.shape

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    def chance(share: float) -> Tensor:
        return torch.rand(n, generator=generator) < share

    angle = uniform(-0.5, 0.5)
    zoom = torch.exp(uniform(-0.25, 0.25))
    stretch = torch.exp(uniform(-0.08, 0.08))
    flip = torch.where(chance(0.5), -1.0, 1.0)
    upside = torch.where(chance(0.3), -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = zoom * torch.cos(angle) * flip * stretch
    theta[:, 0, 1] = -zoom * torch.sin(angle) * ASPECT * flip * stretch
    theta[:, 1, 0] = zoom * torch.sin(angle) / ASPECT * upside / stretch
    theta[:, 1, 1] = zoom * torch.cos(angle) * upside / stretch
    theta[:, 0, 2] = uniform(-SHIFT, SHIFT)
    theta[:, 1, 2] = uniform(-SHIFT, SHIFT)
    grid = nn.functional.affine_grid(theta, [n, 1, NETWORK_HEIGHT, NETWORK_WIDTH], align_corners=False)
    images = nn.functional.grid_sample(sources, grid, align_corners=False)
    x, y = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    source_pixels = (zoom * width / NETWORK_WIDTH).view(-1, 1, 1)
    masks = (0.5 - outlines.distance(x, y) / source_pixels).clamp(0, 1).unsqueeze(1)
    gamma = torch.exp(uniform(-0.4, 0.4)).view(n, 1, 1, 1)
    gain = uniform(0.7, 1.3).view(n, 1, 1, 1)
    slow = torch.exp(0.35 * torch.randn(n, 1, 4, 5, generator=generator))
    slow = nn.functional.interpolate(slow, size=(NETWORK_HEIGHT, NETWORK_WIDTH), mode="bilinear", align_corners=False)
    return (images.clamp(1e-4, 1) ** gamma * gain * slow).clamp(0, 1), masks
