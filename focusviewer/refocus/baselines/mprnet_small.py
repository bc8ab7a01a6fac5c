"""A small MPRNet (Zamir et al., CVPR 2021): stages that each draw a picture, joined by supervised attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.refocus.baselines.blocks import SLOPE, conv, quiet_head

CHANNELS = 16


class ChannelAttentionBlock(nn.Module):
    """Two convolutions whose channels are weighed by what the picture holds, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels // 4)
        self.first, self.second = conv(channels, channels), conv(channels, channels)
        self.weigh = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        found = self.second(functional.leaky_relu(self.first(x), SLOPE))
        weighed: Tensor = found * torch.sigmoid(self.weigh(found.mean((2, 3), keepdim=True)))
        return x + weighed


class CoarseToFine(nn.Module):
    """Encoder and decoder of the first stages: three levels of channel attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels, channels * 3 // 2, channels * 2]
        self.down = nn.ModuleList(ChannelAttentionBlock(width) for width in widths)
        self.narrow = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 1) for i in range(2))
        self.widen = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(2))
        self.up = nn.ModuleList(ChannelAttentionBlock(width) for width in widths[:2])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W); H and W multiples of 4."""
        kept = []
        for level in range(2):
            x = self.down[level](x)
            kept.append(x)
            x = functional.avg_pool2d(self.narrow[level](x), 2)
        x = self.down[2](x)
        for level in (1, 0):
            wide = functional.interpolate(self.widen[level](x), scale_factor=2, mode="bilinear", align_corners=False)
            x = self.up[level](wide + kept[level])
        return x


class SupervisedAttention(nn.Module):
    """Draws the stage's picture, and passes on features weighed by it (supervised attention)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, channels, 1)
        self.draw = quiet_head(channels)
        self.weigh = nn.Conv2d(3, channels, 1)

    def forward(self, x: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, H, W) and the scan to features for the next stage and a picture."""
        drawn = image + self.draw(x)
        passed = x + self.features(x) * torch.sigmoid(self.weigh(2 * drawn - 1))
        return passed, drawn


class MprNet(nn.Module):
    """Two encoder-decoder stages, then one at full resolution; every stage is compared with the truth.

    The published net shows its stages four, two and one part of the picture. All of ours see the whole of it: what a
    place looks like must not depend on where a view was cut.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.enter = nn.ModuleList(conv(3, channels) for _ in range(3))
        self.stages = nn.ModuleList(CoarseToFine(channels) for _ in range(2))
        self.teach = nn.ModuleList(SupervisedAttention(channels) for _ in range(2))
        self.join = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1) for _ in range(2))
        self.last = nn.Sequential(*(ChannelAttentionBlock(channels) for _ in range(2)))
        self.head = quiet_head(channels)

    def pictures(self, image: Tensor) -> list[Tensor]:
        """The picture of every stage, the last one the best: each (B, 3, H, W), not clamped."""
        scan = 2 * image - 1
        x = functional.leaky_relu(self.enter[0](scan), SLOPE)
        drawn = []
        for stage in range(2):
            x, picture = self.teach[stage](self.stages[stage](x), image)
            drawn.append(picture)
            entered = functional.leaky_relu(self.enter[stage + 1](scan), SLOPE)
            x = self.join[stage](torch.cat([entered, x], 1))
        return [*drawn, image + self.head(self.last(x))]

    def forward(self, image: Tensor) -> Tensor:
        """Blurred (B, 3, H, W) in 0..1, H and W multiples of 4, to sharp, not clamped."""
        return self.pictures(image)[-1]
