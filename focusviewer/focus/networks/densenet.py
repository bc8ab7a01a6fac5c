"""DenseNet-13: four dense blocks of one layer each. Imports torch.

Huang et al., *Densely connected convolutional networks*, CVPR 2017: growth 32, 64 channels at the start, bottlenecks of
four times the growth, transitions that halve channels and size. 193 thousand parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from focusviewer.focus.networks.base import LevelRegressor, normalised

GROWTH, STEM, BOTTLENECK = 32, 64, 4
BLOCKS = (1, 1, 1, 1)


class DenseLayer(nn.Module):
    """Bottleneck and 3x3 convolution whose result is appended to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = BOTTLENECK * GROWTH
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, GROWTH, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float (B, C, H, W) to (B, C + GROWTH, H, W)."""
        return torch.cat([x, self.body(x)], dim=1)


class DenseNet(LevelRegressor):
    """DenseNet with one output, the mean over the crop going into it."""

    def __init__(self, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, STEM, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(STEM),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        channels = STEM
        for index, count in enumerate(blocks):
            for _ in range(count):
                layers.append(DenseLayer(channels))
                channels += GROWTH
            if index < len(blocks) - 1:
                layers += _transition(channels)
                channels //= 2
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Levels (B,)."""
        features = self.features(normalised(images))
        return self.levels(self.through_head(features.mean(dim=(2, 3)))[:, 0])


def _transition(channels: int) -> list[nn.Module]:
    return [
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels // 2, 1, bias=False),
        nn.AvgPool2d(2),
    ]
