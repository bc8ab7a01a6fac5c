"""The network of the engine ``learned``: a U-net that mixes Wiener filters of the view and adds a bounded rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

PICTURES = 6
"""What is mixed: the scan, and the Wiener pictures of :data:`focusviewer.refocus.learned.pictures.FILTERS`."""

WIDTHS = (32, 64, 96)
BLOCKS = (1, 1, 3)
MOST_ADDED = 0.15
"""Largest rest that is added to the mixture in any colour, full scale = 1."""

_CONTRAST = 4.0  # differences to the scan are small beside the scan
_FAR_UM = 4.0


class _Block(nn.Module):
    """Two convolutions beside the identity (He et al. 2016); begins as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        _begin_at_zero(self.second)

    def forward(self, hidden: Tensor) -> Tensor:
        added: Tensor = self.second(functional.relu(self.first(hidden)))
        return hidden + added


class WienerMixer(nn.Module):
    """From a scan and its Wiener pictures to the picture in focus.

    The network works at half the resolution (Shi et al. 2016, pixel shuffle). For each pixel it gives weights that sum
    to 1 of the scan and the Wiener pictures, and a rest of at most :data:`MOST_ADDED`. It begins as their even mixture.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: Sequence[int] = BLOCKS) -> None:
        super().__init__()

        def level(index: int) -> nn.Sequential:
            return nn.Sequential(*(_Block(widths[index]) for _ in range(blocks[index])))

        last = len(widths) - 1
        self.enter = nn.Conv2d(3 * PICTURES * 4 + 1, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in range(last))
        self.up = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i] * 4, 1) for i in range(last))
        self.coding = nn.ModuleList(level(i) for i in range(last + 1))
        self.decoding = nn.ModuleList(level(i) for i in range(last))
        self.leave = nn.Conv2d(widths[0], (PICTURES + 3) * 4, 3, padding=1)
        _begin_at_zero(self.leave)

    def forward(self, scan: Tensor, filtered: Tensor, assumed_um: Tensor) -> Tensor:
        """The picture in focus, not clipped: float32 (B, 3, H, W).

        Parameters
        ----------
        scan : float32 (B, 3, H, W), 0..1; H and W multiples of 8
        filtered : float32 (B, PICTURES - 1, 3, H, W)
        assumed_um : float32 (B,)
            Distance from focus that the Wiener pictures assume, um.
        """
        kind = torch.get_autocast_dtype(scan.device.type) if torch.is_autocast_enabled(scan.device.type) else scan.dtype
        differences = ((filtered - scan[:, None]) * _CONTRAST).flatten(1, 2).to(kind)
        hidden = functional.pixel_unshuffle(torch.cat([(2 * scan - 1).to(kind), differences], 1), 2)
        distance = (assumed_um / _FAR_UM).to(kind)[:, None, None, None].expand(-1, 1, *hidden.shape[2:])
        hidden = torch.cat([hidden, distance], 1).contiguous(memory_format=torch.channels_last)
        hidden = self.enter(hidden)
        passed = []
        for index, down in enumerate(self.down):
            hidden = self.coding[index](hidden)
            passed.append(hidden)
            hidden = down(hidden)
        hidden = self.coding[-1](hidden)
        for index in reversed(range(len(self.up))):
            hidden = functional.pixel_shuffle(self.up[index](hidden), 2) + passed[index]
            hidden = self.decoding[index](hidden)
        found = functional.pixel_shuffle(self.leave(hidden), 2).float()
        made = MOST_ADDED * torch.tanh(found[:, PICTURES:])
        weights = torch.softmax(found[:, :PICTURES], 1)
        for index in range(PICTURES):  # one at a time: the stack of all would be the largest array here
            made = torch.addcmul(made, weights[:, index : index + 1], scan if index == 0 else filtered[:, index - 1])
        return made


def _begin_at_zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
