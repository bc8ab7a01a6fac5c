"""Deep focus interpolation: a U-net between two planes, after Nicmanis (Uppsala 2022). Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.refocus.baselines.blocks import SLOPE, Unet, conv, quiet_head

CHANNELS = 16


class DfiNet(nn.Module):
    """Draws the picture at any position between two planes.

    The published net concatenates the planes and draws the one in the middle. Here each plane goes through the same
    first layers together with its distance from the target, and the two are added: so any position can be asked for,
    and the two planes can be swapped. The U-net's output is added to the linear mix of the planes.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.enter = conv(5, channels)
        self.look = conv(channels, channels)
        self.body = Unet(channels)
        self.head = quiet_head(channels)

    def forward(self, first: Tensor, second: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        """Interpolate.

        Parameters
        ----------
        first, second : float (B, 3, H, W), 0..1; H and W multiples of 4
        position : float (B, 1, H, W)
            0 at the first plane, 1 at the second.
        gap_um : float (B, 1, 1, 1)
            Distance of the planes.

        Returns
        -------
        float (B, 3, H, W), not clamped
        """
        features = self._look(first, position, gap_um) + self._look(second, 1 - position, gap_um)
        mix = first * (1 - position) + second * position
        drawn: Tensor = self.head(self.body(features))
        return mix + drawn

    def _look(self, plane: Tensor, distance: Tensor, gap_um: Tensor) -> Tensor:
        about = torch.cat([2 * plane - 1, distance, (gap_um / 4).expand_as(distance)], 1)
        return functional.leaky_relu(self.look(functional.leaky_relu(self.enter(about), SLOPE)), SLOPE)
