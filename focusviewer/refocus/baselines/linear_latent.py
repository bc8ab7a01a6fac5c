"""Interpolation on a straight line in the latent space of an autoencoder, after Mazilu et al. (CAIP 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.refocus.baselines.blocks import SLOPE, ConvPair, conv

CHANNELS, LATENT = 16, 48


class LinearLatentNet(nn.Module):
    """An autoencoder without skip connections; every plane of a stack lies on one line of its latent space.

    The latent picture has half the resolution. What lies between two planes is decoded from the mix of their latents.
    """

    def __init__(self, channels: int = CHANNELS, latent: int = LATENT) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            [conv(3, channels), conv(4 * channels, 2 * channels), ConvPair(2 * channels, latent)]
        )
        self.latent = conv(latent, latent)
        self.decoder = ConvPair(latent, 2 * channels)
        self.draw = conv(2 * channels, 4 * channels)
        self.head = conv(channels, 3)

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..1 to the latent picture (B, L, H / 2, W / 2); H and W even."""
        x = functional.leaky_relu(self.encoder[0](2 * image - 1), SLOPE)
        x = functional.leaky_relu(self.encoder[1](functional.pixel_unshuffle(x, 2)), SLOPE)
        latent: Tensor = self.latent(self.encoder[2](x))
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """A latent picture to pixels (B, 3, H, W), not clamped."""
        x = functional.leaky_relu(self.draw(self.decoder(latent)), SLOPE)
        drawn: Tensor = self.head(functional.pixel_shuffle(x, 2))
        return 0.5 + 0.5 * drawn

    def forward(self, first: Tensor, second: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        """The picture at ``position``, 0 (first plane) to 1 (second), (B, 1, H, W); ``gap_um`` is not used."""
        both = self.encode(torch.cat([first, second]))
        share = functional.avg_pool2d(position, 2).to(both.dtype)
        low, high = both.chunk(2)
        return self.decode(torch.lerp(low, high, share))
