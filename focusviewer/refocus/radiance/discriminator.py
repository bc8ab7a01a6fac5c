"""The conditional discriminator of the radiance network's training, D(x | f_t) (Wang 2024, eq 5.12)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from focusviewer.refocus.radiance.layers import CODE, focus_code


class Discriminator(nn.Module):
    """Scores patches of a picture, given the focus it claims to have; for the least-squares loss.

    Parameters
    ----------
    channels : int
        Width of the first layer; doubled at each of the three halvings (receptive field 46 px).
    """

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        widths = (3 + CODE, channels, 2 * channels, 4 * channels)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor, target: Tensor) -> Tensor:
        """Score of each patch: images (B, 3, H, W) 0..1 and target (B, 1, H, W) um to (B, 1, about H / 8, W / 8)."""
        scores: Tensor = self.layers(torch.cat([2 * images - 1, focus_code(target).to(images.dtype)], 1))
        return scores
