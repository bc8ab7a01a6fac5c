"""Trains FocusLiteNN (1, 2 and 10 kernels, two scales) on simulated crops with known defocus, all side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.focus.base import LEVEL_UM, FocusModel
from focusviewer.focus.networks.focuslitenn import FocusLiteNN, FocusLiteNNModule, save_weights
from focusviewer.metrics import srcc
from focusviewer.training.common import data_folder, write_card
from focusviewer.training.data.bank import FocusBank, banks_for
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.evaluator import Evaluator
from focusviewer.training.lab.task import RunFacts, Task

CROP_PX = 237
"""A 235 px window and the pixel around it that the padding of 1 looks at."""

_LEVELS = 4.0  # the loss is smooth L1 in units of this many levels (1 um)
_SCORED_AT_ONCE = 64


@dataclass(frozen=True)
class FocusSettings:
    """What the FocusLiteNN family learns from.

    Attributes
    ----------
    kernels : tuple of int
        Numbers of kernels; all learn from the same batches.
    scales : tuple of float
        Pixel sizes, um; each has weights of its own.
    crops, held_out : tuple of int
        Simulated crops to learn from and to choose the best weights by: a number for each scale, or one for all.
    judged_seeds : tuple of int
        Simulated slides for the model card.
    """

    kernels: tuple[int, ...] = (1, 2, 10)
    scales: tuple[float, ...] = (0.25, 0.5)
    crops: tuple[int, ...] = (9_000, 6_000)
    held_out: tuple[int, ...] = (1_200, 800)
    judged_seeds: tuple[int, ...] = (901, 902)


def bank_identity(bank: FocusBank) -> str:
    """Digest of what is in a bank; it looks at all distances and some of the pixels."""
    digest = hashlib.sha256(bank.z_um.tobytes() + bank.source.tobytes())
    for index in np.linspace(0, len(bank) - 1, 8).astype(int):
        digest.update(bank.images[index].tobytes())
    return digest.hexdigest()[:16]


class FocusLiteNNTask(Task):
    """All kernel counts and scales as one run; each network keeps the weights with its own smallest error.

    Method: FocusLiteNN (Wang et al. 2020), y = <w1, max> + <w2, min> over one 7x7 stride-5 convolution; smooth L1 on
    focus levels of 0.25 um, so that the score is absolute; Adam. The losses are added, and as Adam looks at every
    weight by itself, each network learns as it would alone.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    name = "focuslitenn"

    def __init__(self, data: Path | None, settings: FocusSettings | None = None) -> None:
        self.settings: FocusSettings = settings or FocusSettings()
        self.outputs = tuple(f"focuslitenn-{kernels}" for kernels in self.settings.kernels)
        self.best = {key: f"mae_um_{key}" for _, _, key in self._parts()}
        self._data = data
        self._modules: dict[str, nn.Module] = {}
        self._banks: dict[float, FocusBank] = {}
        self._held_out: dict[float, FocusBank] = {}
        self._batch = 0

    def _parts(self) -> list[tuple[float, int, str]]:
        """Scale, kernels and name of every network."""
        return [(mpp, n, f"{mpp:g}_{n}") for mpp in self.settings.scales for n in self.settings.kernels]

    def prepare(self, config: LabConfig) -> None:
        """Open the banks; they are made when they are not there yet, which takes a while."""
        folder = data_folder(self._data)
        self._batch = config.batch
        own = self.settings
        self._banks |= banks_for(folder, "train", own.scales, own.crops)
        self._held_out |= banks_for(folder, "validation", own.scales, own.held_out)

    def modules(self) -> dict[str, nn.Module]:
        """One network for each scale and kernel count."""
        if not self._modules:
            self._modules = {key: FocusLiteNNModule(kernels) for _, kernels, key in self._parts()}
        return self._modules

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Sum over all networks, and the sum of each scale."""
        losses = {}
        for mpp, bank in self._banks.items():
            images, levels = (part.to(self.device) for part in bank.batch(self._batch, CROP_PX, generator))
            scores = [self._modules[key](images) for scale, _, key in self._parts() if scale == mpp]
            parts = [nn.functional.smooth_l1_loss(score / _LEVELS, levels / _LEVELS) for score in scores]
            losses[f"loss_{mpp:g}"] = torch.stack(parts).sum()
        return {"loss": torch.stack(list(losses.values())).sum()} | losses

    def validate(self) -> dict[str, float]:
        """SRCC and mean absolute error (um) of each network on held-out crops."""
        figures = {}
        for mpp, bank in self._held_out.items():
            keys = [key for scale, _, key in self._parts() if scale == mpp]
            scores = self._scores(bank, keys)
            for key in keys:
                figures[f"mae_um_{key}"] = float(np.abs(scores[key] * LEVEL_UM - bank.z_um).mean())
                figures[f"srcc_{key}"] = srcc(scores[key], bank.z_um)
        return figures

    def _scores(self, bank: FocusBank, keys: list[str]) -> dict[str, np.ndarray]:
        spare = (bank.images.shape[1] - CROP_PX) // 2
        middle = slice(spare, spare + CROP_PX)
        scores: dict[str, list[np.ndarray]] = {key: [] for key in keys}
        for start in range(0, len(bank), _SCORED_AT_ONCE):
            pixels = np.array(bank.images[start : start + _SCORED_AT_ONCE, middle, middle])
            images = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 255
            for key in keys:
                scores[key].append(self._modules[key](images).cpu().numpy())
        return {key: np.concatenate(parts) for key, parts in scores.items()}

    def identity(self) -> dict[str, Any]:
        """The banks."""
        return {f"crops of {mpp:g} um": bank_identity(bank) for mpp, bank in self._banks.items()}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``focuslitenn-N.safetensors`` with a model card for each kernel count."""
        written = []
        for kernels in self.settings.kernels:
            path = out / f"focuslitenn-{kernels}.safetensors"
            networks: dict[float, FocusLiteNNModule] = {}
            for mpp, count, key in self._parts():
                network = self._modules[key].cpu()
                if count == kernels and isinstance(network, FocusLiteNNModule):
                    networks[mpp] = network
            save_weights(path, networks, {"simulator": SIMULATOR_VERSION})
            self._write_card(path, kernels, run)
            written += [path, path.with_suffix(".md")]
        return written

    def _write_card(self, path: Path, kernels: int, run: RunFacts) -> None:
        """Write the model card of a trained model beside its weights."""
        counts = {mpp: len(bank) for mpp, bank in self._banks.items()}
        facts = {
            "Model": f"FocusLiteNN, {kernels} kernel(s) of 7x7x3, stride 5, one set of weights for each scale",
            "Output": "focus levels of 0.25 um, larger is blurrier",
            "Data": " and ".join(f"{count} crops at {mpp:g} um/px" for mpp, count in counts.items())
            + " of real sharp sections (CC0, Apache-2.0, BSD-3, free use), flat and lifted to volumes, and of tissue "
            "phantoms, at simulated defocus of 0-5 um through random optics, tone, noise and JPEG",
            "Split": f"by image and by phantom; {sum(map(len, self._held_out.values()))} held-out crops",
        } | run.rows(path)
        rows = [
            f"| {mpp:g} um/px | {run.figures[f'srcc_{key}']:.3f} | {run.figures[f'mae_um_{key}']:.2f} um "
            f"| {run.best_steps[key]} |"
            for mpp, count, key in self._parts()
            if count == kernels
        ]
        figures = (
            "Simulated crops of held-out images and phantoms, by which the weights were chosen:\n\n"
            "| scale | SRCC | mean error | weights of step |\n|---|---|---|---|\n"
        )
        slides = slide_table(self.evaluator, FocusLiteNN(path.stem, path), self.settings.judged_seeds)
        figures += "\n".join(rows) + slides
        write_card(path.with_suffix(".md"), path.stem, facts, figures, LIMITS)


LIMITS = (
    "Trained on simulated defocus of stained sections. The order of scores transfers to real focal stacks; their "
    "absolute scale does not without calibration (other magnifications and soft optics read higher at best focus). "
    "Not for fluorescence. Research use only."
)


def slide_table(evaluator: Evaluator | None, model: FocusModel, seeds: Sequence[int]) -> str:
    """Figures on whole simulated slides as a section of a model card; nothing when there are none."""
    rows = evaluator.simulated_slides(model, seeds) if evaluator is not None else []
    if not rows:
        return ""
    head = (
        "\n\nWhole simulated slides of phantoms not trained on:\n\n| slide | tissue windows | SRCC |\n|---|---|---|\n"
    )
    return head + "\n".join(f"| {row['slide']} | {row['tissue_windows']} | {row['srcc']:.3f} |" for row in rows)


def entries() -> list[TaskEntry]:
    """The FocusLiteNN family."""
    return [
        TaskEntry(
            "focus",
            FocusLiteNNTask.name,
            "FocusLiteNN with 1, 2 and 10 kernels for 0.25 and 0.5 um per pixel",
            FocusLiteNNTask,
            FocusSettings(),
            LabConfig(minutes=16, learning_rate=1e-2, clip=0.0),
        )
    ]
