"""Trains the focus networks: one task for each, all learning from the bank of simulated crops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.networks import network_spec
from focusviewer.focus.networks.base import MIDDLE, FocusNetwork, channels_last
from focusviewer.focus.networks.model import NetworkModel, for_inference
from focusviewer.focus.networks.weights import parameter_count, save_networks
from focusviewer.metrics import mae, plcc, srcc
from focusviewer.training.common import data_folder, write_card
from focusviewer.training.data.bank import FocusBank, banks_for
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts, Task
from focusviewer.training.tasks.focus.focuslitenn import LIMITS, bank_identity, slide_table
from focusviewer.training.tasks.focus.losses import regression_loss

_SCORED_AT_ONCE = 32
_GRAY = 0.1  # share of crops that lose their colour


@dataclass(frozen=True)
class NetSettings:
    """What a focus network learns from.

    Attributes
    ----------
    loss : str
        One of :data:`focusviewer.training.tasks.focus.losses.REGRESSION_LOSSES`; classifiers have a loss of their own.
    scales : tuple of float
        Pixel sizes, um; each has weights of its own, and steps take turns.
    crops, held_out : tuple of int
        Simulated crops to learn from and to choose the best weights by: a number for each scale, or one for all.
    small_px : int
        Side of the smaller crops that most steps are made with (the networks pool over the whole crop, so they take
        any size); 0 for none.
    small_share : float
        Share of such steps.
    judged_seeds : tuple of int
        Simulated slides for the model card.
    """

    loss: str = "huber"
    scales: tuple[float, ...] = (0.25, 0.5)
    crops: tuple[int, ...] = (9_000, 6_000)
    held_out: tuple[int, ...] = (1_200, 800)
    small_px: int = 0
    small_share: float = 0.75
    judged_seeds: tuple[int, ...] = (901, 902)


class NetworkTask(Task):
    """A network of the catalogue, once for each scale; subclasses say what is drawn and what is minimised.

    Parameters
    ----------
    name : str
        In :data:`focusviewer.focus.networks.NETWORKS`.
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    criterion = "mae_um"
    method = ""
    output = "focus levels of 0.25 um, larger is blurrier"

    def __init__(self, name: str, data: Path | None, settings: NetSettings) -> None:
        self.name, self.settings = name, settings
        self.spec = network_spec(name)
        sign, figure = ("+", self.criterion[1:]) if self.criterion.startswith("+") else ("", self.criterion)
        self.best = {f"{mpp:g}": f"{sign}{figure}_{mpp:g}" for mpp in settings.scales}
        self._data, self._batch = data, 0
        self.networks: dict[float, FocusNetwork] = {}
        self.banks: dict[float, FocusBank] = {}
        self.held_out: dict[float, FocusBank] = {}

    def prepare(self, config: LabConfig) -> None:
        """Open the banks; they are made when they are not there yet, which takes a while."""
        folder = data_folder(self._data)
        self._batch = config.batch
        own = self.settings
        self.banks |= banks_for(folder, "train", own.scales, own.crops)
        self.held_out |= banks_for(folder, "validation", own.scales, own.held_out)

    def modules(self) -> dict[str, nn.Module]:
        """One network for each scale."""
        if not self.networks:
            for mpp in self.settings.scales:
                self.networks[mpp] = self.spec.make()
                channels_last(self.networks[mpp])
        return {f"{mpp:g}": network for mpp, network in self.networks.items()}

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of one scale: they take turns."""
        mpp = self.settings.scales[step % len(self.settings.scales)]
        loss = self.batch_loss(mpp, self._batch, generator)
        return {"loss": loss}

    def batch_loss(self, mpp: float, count: int, generator: torch.Generator) -> Tensor:
        """Draw a batch and give its loss."""
        raise NotImplementedError

    def figures(self, outputs: Tensor, scores: np.ndarray, levels: np.ndarray) -> dict[str, float]:
        """Figures of one scale from raw outputs, scores and true levels of held-out windows."""
        return {"mae_um": mae(scores, levels, LEVEL_UM), "srcc": srcc(scores, levels), "plcc": plcc(scores, levels)}

    def validate(self) -> dict[str, float]:
        """Figures of every scale on held-out windows."""
        found: dict[str, float] = {}
        for mpp, bank in self.held_out.items():
            outputs = self.raw_outputs(mpp, bank)
            scores = self.networks[mpp].scores_and_uncertainty(outputs)[0].numpy()
            figures = self.figures(outputs, scores, bank.z_um / LEVEL_UM)
            found |= {f"{name}_{mpp:g}": value for name, value in figures.items()}
        return found

    def raw_outputs(self, mpp: float, bank: FocusBank, count: int | None = None) -> Tensor:
        """Raw outputs for the middle windows of a bank's first ``count`` crops, computed as the program does."""
        network = for_inference(self.networks[mpp])
        dtype = next(network.parameters()).dtype
        spare = (bank.images.shape[1] - self.spec.window_px) // 2
        middle = slice(spare, spare + self.spec.window_px)
        parts = []
        for start in range(0, count or len(bank), _SCORED_AT_ONCE):
            pixels = np.ascontiguousarray(bank.images[start : start + _SCORED_AT_ONCE, middle, middle])
            images = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2) / 255
            parts.append(network(images.to(dtype)).float().cpu())
        return torch.cat(parts)[: count or len(bank)]

    def identity(self) -> dict[str, Any]:
        """The banks."""
        return {f"crops of {mpp:g} um": bank_identity(bank) for mpp, bank in self.banks.items()}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """Weights of all scales in one file, and the model card."""
        path = out / f"{self.name}.safetensors"
        networks = {mpp: network.cpu() for mpp, network in self.networks.items()}
        save_networks(path, networks, {"simulator": SIMULATOR_VERSION})
        counts = " and ".join(f"{len(bank)} crops at {mpp:g} um/px" for mpp, bank in self.banks.items())
        facts = {
            "Model": f"{self.spec.summary}; {parameter_count(next(iter(self.networks.values())))} parameters, one set "
            f"of weights for each scale, windows of {self.spec.window_px} px",
            "Output": self.output,
            "Method": self.method or f"loss {self.settings.loss}, Adam",
            "Data": f"{counts} of real sharp sections (CC0, Apache-2.0, BSD-3, free use), flat and lifted to volumes, "
            "and of tissue phantoms, at simulated defocus of 0-5 um through random optics, tone, noise and JPEG",
            "Split": f"by image and by phantom; {sum(map(len, self.held_out.values()))} held-out crops",
        } | run.rows(path)
        slides = slide_table(self.evaluator, NetworkModel(self.spec, path), self.settings.judged_seeds)
        write_card(path.with_suffix(".md"), self.name, facts, self._table(run.figures) + slides, LIMITS)
        return [path, path.with_suffix(".md")]

    def _table(self, figures: dict[str, float] | Any) -> str:
        suffixes = {f"_{mpp:g}": mpp for mpp in self.settings.scales}
        first = next(iter(suffixes))
        names = [name.removesuffix(first) for name in figures if name.endswith(first)]
        head = "Simulated crops of held-out images and phantoms, by which the weights were chosen:\n\n"
        head += f"| scale | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"
        rows = [
            f"| {mpp:g} um/px | " + " | ".join(f"{figures[name + suffix]:.3f}" for name in names) + " |"
            for suffix, mpp in suffixes.items()
        ]
        return head + "\n".join(rows)


class LevelTask(NetworkTask):
    """Networks that give the focus level, trained on any of the regression losses."""

    def __init__(self, name: str, data: Path | None, settings: NetSettings) -> None:
        self._loss = regression_loss(settings.loss)
        self.criterion = "+srcc" if settings.loss == "plcc" else "mae_um"  # which is blind to scale
        super().__init__(name, data, settings)

    def batch_loss(self, mpp: float, count: int, generator: torch.Generator) -> Tensor:
        """Crops of the window's size or the smaller one, as many of these as cost the same."""
        small = self.settings.small_px
        if small and float(torch.rand(1, generator=generator)) < self.settings.small_share:
            count, side = round(count * (self.spec.window_px / small) ** 2), small
        else:
            side = self.spec.window_px
        images, levels = self.banks[mpp].batch(count, side, generator)
        images, levels = jittered(images, generator).to(self.device), levels.to(self.device)
        return self._loss(self.networks[mpp](images).float(), levels)

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """As always; scores that only correlate are first brought to levels by a straight line."""
        if self.settings.loss == "plcc":
            for mpp, network in self.networks.items():
                self._to_levels(mpp, network.cpu())
            with torch.no_grad():
                run = replace(run, figures=self.validate())
        return super().export(out, run)

    @torch.no_grad()
    def _to_levels(self, mpp: float, network: FocusNetwork) -> None:
        """Fold the least-squares line from scores to levels, found on training crops, into the last layer."""
        bank = self.banks[mpp]
        count = min(len(bank), 1024)
        self.device = torch.device("cpu")
        slope, offset = np.polyfit(self.raw_outputs(mpp, bank, count).numpy(), bank.z_um[:count] / LEVEL_UM, 1)
        last = [module for module in network.modules() if isinstance(module, (nn.Linear, nn.Conv2d))][-1]
        assert last.bias is not None
        last.weight.mul_(float(slope))
        last.bias.mul_(float(slope)).add_(float(slope + offset / MIDDLE - 1))  # levels are MIDDLE * (1 + output)


def jittered(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mild changes of light and stain, another for every crop: gain of each colour, tone curve, some gray.

    Parameters
    ----------
    images : float32 (B, 3, H, W) in [0, 1]
    """
    count = len(images)
    gain = torch.exp(0.05 * torch.randn((count, 3, 1, 1), generator=generator))
    gamma = torch.exp(0.12 * torch.randn((count, 1, 1, 1), generator=generator))
    gray = torch.rand((count, 1, 1, 1), generator=generator) < _GRAY
    images = torch.where(gray, images.mean(1, keepdim=True), images)
    return (images.clamp_min(1e-3) ** gamma * gain).clamp(0, 1)


def _level_entry(name: str, settings: NetSettings, config: LabConfig) -> TaskEntry:
    def build(data: Path | None, settings: Any) -> Task:
        return LevelTask(name, data, settings)

    return TaskEntry("focus", name, network_spec(name).summary, build, settings, config)


def entries() -> list[TaskEntry]:
    """Every network that gives the focus level, besides FocusLiteNN."""
    usual, small = NetSettings(), NetSettings(small_px=128)
    levels: list[tuple[str, NetSettings, LabConfig]] = [
        ("eonss", usual, LabConfig(minutes=20, precision="bf16")),
        ("densenet-13", small, LabConfig(minutes=40, batch=16, precision="bf16")),
        ("resnet-10", small, LabConfig(minutes=60, batch=16, precision="bf16")),
        ("resnet-50", small, LabConfig(minutes=240, batch=16, precision="bf16")),
        ("resnet-101", small, LabConfig(minutes=480, batch=16, precision="bf16")),
    ]
    return [_level_entry(*line) for line in levels]
