"""The segmentation network: a small U-Net with group normalisation, in plain torch.

Group normalisation keeps no running statistics, so nothing but weights crosses sites
(Wu Y, He K. Group Normalization. ECCV 2018; U-Net: Ronneberger O et al. MICCAI 2015).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

CHANNELS = (16, 24, 48, 80, 112)


class ConvolutionBlock(nn.Module):
    """Two 3x3 convolutions, each followed by group normalisation and SiLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.SiLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(8, outputs),
            nn.SiLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, inputs, h, w) to (batch, outputs, h, w)."""
        return self.layers(x)  # type: ignore[no-any-return]


class HeadSegmenter(nn.Module):
    """Log-odds that each pixel belongs to the fetal head.

    The first convolution halves the resolution and the last upsampling restores it, so that most
    of the work is done on 64 x 96 pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        first, *deeper = CHANNELS
        self.stem = nn.Sequential(nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.GroupNorm(8, first))
        self.first = ConvolutionBlock(first, first)
        widths = (first, *deeper)
        self.down = nn.ModuleList(ConvolutionBlock(a, b) for a, b in pairwise(widths))
        self.up = nn.ModuleList(ConvolutionBlock(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(first, 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, images: Tensor) -> Tensor:
        """Segment.

        Parameters
        ----------
        images : Tensor of float32, shape (batch, 1, 128, 192), in [0, 1]

        Returns
        -------
        Tensor of float32, shape (batch, 1, 128, 192)
            Log-odds.
        """
        x = self.first(torch.nn.functional.silu(self.stem((images - 0.2) * 4.0)))
        skips = [x]
        for block in self.down:
            x = block(self.pool(x))
            skips.append(x)
        skips.pop()
        for block in self.up:
            skip = skips.pop()
            x = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skip], dim=1))
        return self.shuffle(self.head(x))  # type: ignore[no-any-return]
