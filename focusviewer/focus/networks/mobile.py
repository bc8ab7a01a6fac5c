"""The focus classifier made for mobile microscopes: ten defocus classes on 84 px crops. Imports torch.

Of Kornilova et al., *MMDF: Mobile Microscopy Deep Framework* (preprint), section 3.1.

Two layers of 5x5 convolution, ReLU and 2x2 pooling, then fully connected with dropout and softmax, trained on the
ranked probability score; the entropy of its answer is its uncertainty (after Yang et al., BMC Bioinformatics 2018).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from focusviewer.focus.networks.base import FocusNetwork, normalised

WINDOW = 84
CLASSES = 10
LEVELS_PER_CLASS = 2.0  # ten classes of 0.5 um
DROPOUT = 0.5
_CELLS = ((WINDOW - 4) // 2 - 4) // 2  # along a side, after both poolings


class MobileClassifier(FocusNetwork):
    """The classifier: ten logits, sharpest class first. Dust and drops are trained into the last class."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * _CELLS**2, hidden),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(hidden, CLASSES),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 10) of 84 px crops."""
        return self.through_head(self.features(normalised(images)))

    def scores_and_uncertainty(self, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Expected level of 0.25 um, and its uncertainty.

        The uncertainty is the entropy of the answer, told as the standard deviation of the normal distribution that
        has the same entropy, so that it is in levels as the score is.
        """
        log_p = torch.log_softmax(outputs.float(), dim=1)
        p = log_p.exp()
        centres = (torch.arange(CLASSES, dtype=torch.float32, device=p.device) + 0.5) * LEVELS_PER_CLASS
        entropy = -(p * log_p).sum(1)
        return p @ centres, LEVELS_PER_CLASS * entropy.exp() / math.sqrt(2 * math.pi * math.e)


def level_classes(levels: Tensor) -> Tensor:
    """Class of each level of 0.25 um: int64 (B,)."""
    return (levels / LEVELS_PER_CLASS).long().clamp(0, CLASSES - 1)
