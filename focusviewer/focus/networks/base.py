"""What every focus network is: crops in, raw outputs for the loss; and how raw outputs become scores. Imports torch."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

MIDDLE = 10.0
"""Middle of the levels that are learned (0..20): networks start from it, and need no large weights to span them."""


class FocusNetwork(nn.Module):
    """A network that scores the focus of crops.

    ``forward`` takes float (B, 3, H, W) in [0, 1] and gives what the loss is computed on;
    :meth:`scores_and_uncertainty` turns that into scores. ``head`` is the last, small part: it stays in float32 when
    the rest is run in half precision, whose eight bits would show as steps in the scores.
    """

    head: nn.Module

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Raw outputs of a batch of crops, float (B, ...)."""

    def scores_and_uncertainty(self, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Score and uncertainty of each crop from the raw outputs: float32 (B,) each.

        Larger scores are blurrier; the uncertainty is one standard deviation in the unit of the score, None from
        networks that know none.
        """
        return outputs.float(), None

    def through_head(self, features: Tensor) -> Tensor:
        """The head's answer, in its own precision."""
        answer: Tensor = self.head(features.to(next(self.head.parameters()).dtype))
        return answer


class LevelRegressor(FocusNetwork):
    """A network with one output: the focus level, |z - z*| in steps of 0.25 um."""

    @staticmethod
    def levels(head: Tensor) -> Tensor:
        """What the last layer gives, about -1 to 1, as levels."""
        return MIDDLE * (1 + head.float())


MIDDLE_GRAY, PIXEL_GAIN = 0.7, 5.0
"""What pixels in [0, 1] are brought to zero mean and unit spread by."""


def normalised(images: Tensor) -> Tensor:
    """Pixels in [0, 1] to about zero mean and unit spread (stained sections are bright and of low contrast)."""
    return (images - MIDDLE_GRAY) * PIXEL_GAIN


def channels_last(network: nn.Module) -> None:
    """Put a network's convolution kernels in the memory order in which convolutions are fastest."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
