"""Trains the two focus classifiers: ten defocus classes on 84 px, sharp or blurred on 64 px."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.networks import network_spec
from focusviewer.focus.networks.mobile import CLASSES, level_classes
from focusviewer.metrics import detection, roc_auc
from focusviewer.training.common import data_folder
from focusviewer.training.data.debris import with_debris
from focusviewer.training.data.labelled import LabelledWindows, blurred_copies, labelled_windows
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import Task
from focusviewer.training.tasks.focus.losses import balanced_bce, rps_loss
from focusviewer.training.tasks.focus.networks import NetSettings, NetworkTask, jittered

SHARP, BLURRED = 2.0, 3.0
"""Levels up to which a window is sharp, and from which it is blurred; what lies between is not learned from."""

_GLASS = 0.86  # mean brightness above which a window shows too little specimen to be classified
_DEBRIS = 0.12  # share of crops with dust or drops


class MobileTask(NetworkTask):
    """Ten classes of 0.5 um by the ranked probability score; crops with dust or drops are of the last class."""

    criterion = "rps"
    method = (
        "ranked probability score over ten classes of 0.5 um, Adam; crops with painted dust or drops are of the last "
        "class, crops of bare glass are left out"
    )

    def batch_loss(self, mpp: float, count: int, generator: torch.Generator) -> Tensor:
        """A batch in which some crops have dust or drops on them."""
        images, levels = self.banks[mpp].batch(count, self.spec.window_px, generator)
        kept = specimen(images)
        images, classes = jittered(images[kept], generator), level_classes(levels[kept])
        dirty = torch.rand(len(images), generator=generator) < _DEBRIS
        images[dirty] = with_debris(images[dirty], generator)
        classes[dirty] = CLASSES - 1
        return rps_loss(self.networks[mpp](images.to(self.device)).float(), classes.to(self.device))

    def figures(self, outputs: Tensor, scores: np.ndarray, levels: np.ndarray) -> dict[str, float]:
        """Besides the usual: ranked probability score, share of right classes, and of those at most one off."""
        classes = level_classes(torch.from_numpy(levels))
        off = (outputs.argmax(1) - classes).abs()
        return super().figures(outputs, scores, levels) | {
            "rps": float(rps_loss(outputs, classes)),
            "right": float((off == 0).float().mean()),
            "one_off": float((off <= 1).float().mean()),
        }


@dataclass(frozen=True)
class FourierSettings(NetSettings):
    """What the Fourier classifier learns from, besides the bank.

    Attributes
    ----------
    labelled_share : float
        Share of windows that the classical detector has labelled.
    synthetic_share : float
        Share of windows that it has found sharp and that are then blurred by a Gaussian.
    """

    labelled_share: float = 0.2
    synthetic_share: float = 0.15


class FourierTask(NetworkTask):
    """Sharp or blurred: from the bank's true distances, the classical detector's labels, and synthetic blur."""

    criterion = "+auc"
    output = "probability of being blurred (3 levels of 0.25 um or more from focus; 2 or fewer are sharp)"
    method = (
        "cross-entropy in which both classes weigh the same, Adam; windows of the bank by their true distance, real "
        "windows labelled by the classical detector, and such that it found sharp under a Gaussian blur"
    )
    settings: FourierSettings

    def __init__(self, name: str, data: Path | None, settings: FourierSettings) -> None:
        super().__init__(name, data, settings)
        self._windows: LabelledWindows | None = None
        self._share = 0.5

    def prepare(self, config: LabConfig) -> None:
        """The banks, and the windows that the classical detector has labelled."""
        super().prepare(config)
        own = self.settings
        if own.labelled_share + own.synthetic_share > 0:
            self._windows = labelled_windows(data_folder(self._data))
        levels = np.concatenate([bank.z_um for bank in self.banks.values()]) / LEVEL_UM
        sharp, blurred = (levels <= SHARP).mean(), (levels >= BLURRED).mean()
        of_bank = 1 - own.labelled_share - own.synthetic_share
        self._share = of_bank * blurred / max(sharp + blurred, 1e-6) + own.synthetic_share
        if self._windows is not None:
            self._share += own.labelled_share * self._windows.blurred_share

    def batch_loss(self, mpp: float, count: int, generator: torch.Generator) -> Tensor:
        """A batch of all three kinds of windows."""
        own, side = self.settings, self.spec.window_px
        labelled, synthetic = round(own.labelled_share * count), round(own.synthetic_share * count)
        images, levels = self.banks[mpp].batch(count - labelled - synthetic, side, generator)
        kept = specimen(images) & ((levels <= SHARP) | (levels >= BLURRED))
        parts, truths = [images[kept]], [(levels[kept] >= BLURRED).float()]
        if self._windows is not None:
            some, blurred = self._windows.batch(labelled, side, generator)
            copies = blurred_copies(self._windows, synthetic, side, generator)
            parts += [some, copies]
            truths += [blurred, torch.ones(len(copies))]
        batch = jittered(torch.cat(parts), generator).to(self.device)
        truth = torch.cat(truths).to(self.device)
        return balanced_bce(self.networks[mpp](batch).float(), truth, self._share)

    def figures(self, outputs: Tensor, scores: np.ndarray, levels: np.ndarray) -> dict[str, float]:
        """Area under the curve, F1, precision and recall of "blurred" where the truth is clear."""
        clear = (levels <= SHARP) | (levels >= BLURRED)
        blurred = levels[clear] >= BLURRED
        calls = detection(scores[clear] > 0.5, blurred)
        return {
            "auc": roc_auc(scores[clear], blurred),
            "f1": calls.f1,
            "precision": calls.precision,
            "recall": calls.recall,
            "accuracy": calls.accuracy,
        }

    def identity(self) -> dict[str, Any]:
        """The banks and the labelled windows."""
        return super().identity() | ({"labelled": self._windows.digest} if self._windows is not None else {})


def specimen(images: Tensor) -> Tensor:
    """Crops that show some specimen, not bare glass: bool (B,)."""
    return images.amin(1).mean(dim=(1, 2)) < _GLASS


def entries() -> list[TaskEntry]:
    """The two classifiers."""

    def mobile(data: Path | None, settings: Any) -> Task:
        return MobileTask("mobile-84", data, settings)

    def fourier(data: Path | None, settings: Any) -> Task:
        return FourierTask("fno-64", data, settings)

    return [
        TaskEntry(
            "focus",
            "fno-64",
            network_spec("fno-64").summary,
            fourier,
            FourierSettings(),
            LabConfig(minutes=40, batch=64, precision="bf16"),
        ),
        TaskEntry(
            "focus",
            "mobile-84",
            network_spec("mobile-84").summary,
            mobile,
            NetSettings(),
            LabConfig(minutes=20, batch=64, learning_rate=5e-4, precision="bf16"),
        ),
    ]
