"""Dust and drops painted on crops: a focus classifier must learn to call them unfocused, whatever lies beneath."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def with_debris(images: Tensor, generator: torch.Generator) -> Tensor:
    """Paint dust or a drop on every crop, so large that it is what the crop shows.

    Parameters
    ----------
    images : float32 (B, 3, S, S) in [0, 1]
    generator : torch.Generator

    Returns
    -------
    float32 (B, 3, S, S)
    """
    if not len(images):
        return images
    as_drop = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(as_drop[:, None, None, None], drops(images, generator), dust(images, generator))


def dust(images: Tensor, generator: torch.Generator) -> Tensor:
    """Dark grains and fibres, well out of the focal plane and so without a sharp edge, on a dimmed crop."""
    count, _, side, _ = images.shape
    y, x = _places(side)
    shade = torch.zeros(count, side, side)
    for _ in range(4):
        centre = torch.rand((count, 2), generator=generator) * 2 - 1
        size = 0.08 + 0.35 * torch.rand(count, generator=generator)
        slim = torch.exp(1.2 * torch.randn(count, generator=generator)).clamp(0.15, 6)
        angle = math.pi * torch.rand(count, generator=generator)
        dy, dx = y - centre[:, 0, None, None], x - centre[:, 1, None, None]
        cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
        along, across = (dx * cos + dy * sin) * slim[:, None, None].sqrt(), (dy * cos - dx * sin)
        across = across / slim[:, None, None].sqrt()
        distance = (along.square() + across.square()).sqrt() / size[:, None, None]
        soft = 0.05 + 0.4 * torch.rand((count, 1, 1), generator=generator)
        depth = 0.3 + 0.65 * torch.rand((count, 1, 1), generator=generator)
        shade = torch.maximum(shade, depth * torch.sigmoid((1 - distance) / soft * 3))
    tint = 1 - 0.3 * torch.rand((count, 3, 1, 1), generator=generator)
    # Light is lost to the dust; the specimen beneath it is seen through its haze.
    hazy = functional.avg_pool2d(images, 9, 1, 4, count_include_pad=False)
    return (hazy * (1 - shade[:, None] * tint)).clamp(0, 1)


def drops(images: Tensor, generator: torch.Generator) -> Tensor:
    """A drop of water: a bulging, blurred view of the specimen inside a dark rim with a bright edge."""
    count, _, side, _ = images.shape
    y, x = _places(side)
    centre = torch.rand((count, 2), generator=generator) * 0.8 - 0.4
    radius = (0.6 + 0.9 * torch.rand((count, 1, 1), generator=generator)).expand(count, side, side)
    dy, dx = y - centre[:, 0, None, None], x - centre[:, 1, None, None]
    distance = (dx.square() + dy.square()).sqrt() / radius
    bulge = 0.3 + 0.5 * torch.rand((count, 1, 1), generator=generator)
    bent = torch.where(distance < 1, bulge + (1 - bulge) * distance.square(), torch.ones(()))
    grid = torch.stack([centre[:, 1, None, None] + dx * bent, centre[:, 0, None, None] + dy * bent], dim=-1)
    seen = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    seen = functional.avg_pool2d(seen, 7, 1, 3, count_include_pad=False)
    width = 0.04 + 0.1 * torch.rand((count, 1, 1), generator=generator)
    rim = torch.exp(-((distance - 1) / width).square())
    glow = torch.exp(-((distance - 1 + 2.2 * width) / width).square())
    dark = 0.5 + 0.5 * torch.rand((count, 1, 1), generator=generator)
    return (seen * (1 - dark * rim)[:, None] + 0.35 * glow[:, None]).clamp(0, 1)


def _places(side: int) -> tuple[Tensor, Tensor]:
    """Pixel centres from -1 to 1: y (S, 1) and x (1, S)."""
    place = (torch.arange(side) + 0.5) * 2 / side - 1
    return place[:, None], place[None]
