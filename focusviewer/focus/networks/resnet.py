"""ResNet-10, -50 and -101 with one output. Imports torch.

He et al., *Deep residual learning for image recognition*, CVPR 2016. ResNet-10 has one basic block a stage.
"""

from __future__ import annotations

from torch import Tensor, nn

from focusviewer.focus.networks.base import LevelRegressor, normalised

WIDTHS = (64, 128, 256, 512)
STAGES = {10: (1, 1, 1, 1), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
EXPANSION = 4
"""A bottleneck gives four times its inner width."""


class Residual(nn.Module):
    """A body of convolutions around a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, body: nn.Sequential, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(*_conv(inside, outside, 1, stride))
        self.relu = nn.ReLU()
        norm = body[-1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)  # every block begins as its shortcut: deep ones learn from the first step on

    def forward(self, x: Tensor) -> Tensor:
        """Float (B, C, H, W) to (B, C', H / stride, W / stride)."""
        result: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return result


def _conv(inside: int, outside: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(outside)]


def _basic(inside: int, width: int, stride: int) -> Residual:
    body = nn.Sequential(*_conv(inside, width, 3, stride), nn.ReLU(), *_conv(width, width, 3))
    return Residual(body, inside, width, stride)


def _bottleneck(inside: int, width: int, stride: int) -> Residual:
    outside = EXPANSION * width
    body = nn.Sequential(
        *_conv(inside, width, 1),
        nn.ReLU(),
        *_conv(width, width, 3, stride),
        nn.ReLU(),
        *_conv(width, outside, 1),
    )
    return Residual(body, inside, outside, stride)


class ResNet(LevelRegressor):
    """ResNet with one output, the mean over the crop going into it.

    Parameters
    ----------
    depth : int
        10 (basic blocks), 50 or 101 (bottlenecks).
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        make, expansion = (_basic, 1) if depth == 10 else (_bottleneck, EXPANSION)
        layers: list[nn.Module] = [*_conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)]
        channels = 64
        for stage, (width, count) in enumerate(zip(WIDTHS, STAGES[depth], strict=True)):
            for index in range(count):
                layers.append(make(channels, width, 2 if stage and not index else 1))
                channels = expansion * width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Levels (B,)."""
        features = self.features(normalised(images))
        return self.levels(self.through_head(features.mean(dim=(2, 3)))[:, 0])
