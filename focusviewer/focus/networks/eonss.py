"""EONSS: four convolutions, each followed by divisive normalisation and pooling. Imports torch.

Wang, Athar, Wang, *Blind quality assessment of multiply distorted images using deep neural networks*, ICIAR 2019;
divisive normalisation after Balle, Laparra, Simoncelli, ICLR 2016. A 235 px crop ends in a single cell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from focusviewer.focus.networks.base import LevelRegressor, normalised

_SMALLEST = 1e-3


class DivisiveNormalisation(nn.Module):
    """``y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)``, at every pixel.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Stored as square roots, so that beta and gamma stay positive however they are moved.
        self.root_beta = nn.Parameter(torch.ones(channels))
        self.root_gamma = nn.Parameter(torch.full((channels, channels), 0.02) + 0.3 * torch.eye(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise float (B, C, H, W)."""
        gamma = self.root_gamma.square()[:, :, None, None]
        pool = nn.functional.conv2d(x.square(), gamma, self.root_beta.square() + _SMALLEST)
        return x * pool.rsqrt()


class HalvingPool(nn.Module):
    """The maximum of two by two pixels; a last one without a partner is left out.

    What is run is two steps of pairs: with few channels twice as fast as torch's own, which training keeps for its
    gradients.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Float (B, C, H, W) to half the size."""
        if self.training:
            return nn.functional.max_pool2d(x, 2)
        rows, cols = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        tall = torch.maximum(x[:, :, 0:rows:2, :cols], x[:, :, 1:rows:2, :cols])
        return torch.maximum(tall[..., 0::2], tall[..., 1::2])


class Eonss(LevelRegressor):
    """EONSS with one output: 123 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for inside, outside in ((3, 8), (8, 16), (16, 32)):
            stages += _stage(nn.Conv2d(inside, outside, 5, stride=2, padding=2))
        stages += _stage(nn.Conv2d(32, 64, 3))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(nn.Conv2d(64, 256, 1), DivisiveNormalisation(256), nn.Conv2d(256, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Levels (B,) of crops of at least 235 px."""
        return self.after_first(self.stages[:_FIRST](normalised(images)))

    def after_first(self, features: Tensor) -> Tensor:
        """Levels (B,) from what the first stage makes of crops: float (B, 8, H, W)."""
        cells = self.through_head(self.stages[_FIRST:](features))
        return self.levels(cells.mean(dim=(1, 2, 3)))


_FIRST = 3
"""Modules of the first stage."""


def _stage(conv: nn.Conv2d) -> list[nn.Module]:
    nn.init.kaiming_normal_(conv.weight)
    return [conv, DivisiveNormalisation(conv.out_channels), HalvingPool()]
