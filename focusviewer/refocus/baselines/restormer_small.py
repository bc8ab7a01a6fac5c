"""A small Restormer (Zamir et al., CVPR 2022): attention between channels, so that its cost grows with the area."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.refocus.baselines.blocks import ChannelNorm, conv, quiet_head

CHANNELS = 20
BLOCKS = (1, 1, 2)
HEADS = (1, 2, 4)
EXPANSION = 2


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


class TransposedAttention(nn.Module):
    """Multi-head attention whose tokens are channels: a C x C map of how alike they are over the picture."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.mix = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.look = _depthwise(3 * channels)
        self.leave = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        size = x.shape
        parts = self.look(self.mix(x)).reshape(size[0], 3, self.heads, -1, size[2] * size[3])
        query, key, value = parts.unbind(1)
        query, key = (functional.normalize(part, dim=-1) for part in (query, key))
        weights = (query @ key.transpose(-2, -1) * self.temperature).softmax(-1)
        mixed: Tensor = self.leave((weights.to(value.dtype) @ value).reshape(size))
        return mixed


class GatedFeedForward(nn.Module):
    """Depth-wise convolutions of which one half opens and closes the other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.enter = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.look = _depthwise(2 * hidden)
        self.leave = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        gate, value = self.look(self.enter(x)).chunk(2, 1)
        left: Tensor = self.leave(functional.gelu(gate) * value)
        return left


class Block(nn.Module):
    """Attention, then feed-forward, each added to what came in."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ChannelNorm(channels) for _ in range(2))
        self.attention = TransposedAttention(channels, heads)
        self.forward_part = GatedFeedForward(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        x = x + self.attention(self.norms[0](x))
        x = x + self.forward_part(self.norms[1](x))
        return x


class RestormerNet(nn.Module):
    """A U of three levels of :class:`Block`; draws what a blurred picture lacks at best focus.

    The published net has four levels and 44 blocks from full resolution on; this one three and seven, and it begins at
    half of the resolution, or it could not see as many pictures as the others in the same time.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(3)]

        def blocks(level: int) -> nn.Sequential:
            return nn.Sequential(*(Block(widths[level], HEADS[level]) for _ in range(BLOCKS[level])))

        self.enter = conv(12, channels)
        self.down = nn.ModuleList(blocks(level) for level in range(3))
        self.lower = nn.ModuleList(conv(widths[level], widths[level] // 2) for level in range(2))
        self.rise = nn.ModuleList(conv(widths[level + 1], widths[level] * 4, 1) for level in range(2))
        self.join = nn.ModuleList(nn.Conv2d(2 * widths[level], widths[level], 1) for level in range(2))
        self.up = nn.ModuleList(blocks(level) for level in range(2))
        self.refine = blocks(0)
        self.head = quiet_head(channels, 12)

    def forward(self, image: Tensor) -> Tensor:
        """Blurred (B, 3, H, W) in 0..1, H and W multiples of 8, to sharp, not clamped."""
        x = self.enter(functional.pixel_unshuffle(2 * image - 1, 2))
        kept = []
        for level in range(2):
            x = self.down[level](x)
            kept.append(x)
            x = functional.pixel_unshuffle(self.lower[level](x), 2)
        x = self.down[2](x)
        for level in (1, 0):
            x = functional.pixel_shuffle(self.rise[level](x), 2)
            x = self.up[level](self.join[level](torch.cat([x, kept[level]], 1)))
        return image + functional.pixel_shuffle(self.head(self.refine(x)), 2)
