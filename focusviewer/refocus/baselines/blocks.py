"""Pieces that the small restoration networks share. Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1


def conv(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size, or divides it by its stride."""
    return nn.Conv2d(before, after, kernel, stride, kernel // 2)


def quiet_head(before: int, after: int = 3) -> nn.Conv2d:
    """The last convolution of a network that adds to a picture: it begins by adding nothing."""
    head = conv(before, after)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)  # type: ignore[arg-type]
    return head


class ConvPair(nn.Module):
    """Two 3 x 3 convolutions, each with a leaky rectifier."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.second = conv(before, after), conv(after, after)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H, W)."""
        return functional.leaky_relu(self.second(functional.leaky_relu(self.first(x), SLOPE)), SLOPE)


class Unet(nn.Module):
    """A U-net (Ronneberger et al. 2015) of three levels, C, 2C and 4C wide.

    Height and width must be multiples of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(3)]
        self.down = nn.ModuleList(
            [conv(channels, channels), ConvPair(channels, widths[1]), ConvPair(widths[1], widths[2])]
        )
        self.raised = nn.ModuleList(nn.Conv2d(widths[level + 1], widths[level], 1) for level in range(2))
        self.up = nn.ModuleList([conv(2 * channels, channels), conv(2 * widths[1], widths[1])])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        kept = []
        for level, block in enumerate(self.down):
            x = functional.leaky_relu(block(functional.avg_pool2d(x, 2) if level else x), SLOPE)
            kept.append(x)
        for level in (1, 0):
            wide = functional.interpolate(self.raised[level](x), scale_factor=2, mode="bilinear", align_corners=False)
            x = functional.leaky_relu(self.up[level](torch.cat([kept[level], wide], 1)), SLOPE)
        return x


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), mean 0 and variance 1 over C before scale and shift."""
        mean = x.mean(1, keepdim=True)
        centred = x - mean
        spread = centred.square().mean(1, keepdim=True).add(1e-5).rsqrt()
        return centred * spread * self.scale + self.shift


def parameter_count(module: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
