"""Trains score fusion: no labels, only the scores that its members give to the same windows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.core.arrays import FloatArray
from focusviewer.core.files import write_safetensors
from focusviewer.focus.fusion import FUSED, VARIANTS, fusion_variant
from focusviewer.focus.fusion.fuser import Fuser, normalised, reference_quantiles
from focusviewer.metrics import srcc
from focusviewer.training.common import data_folder, write_card
from focusviewer.training.data.bank import banks_for
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts, Task
from focusviewer.training.tasks.focus.networks import NetSettings
from focusviewer.training.tasks.fusion.network import FLOOR, FusionNetwork
from focusviewer.training.tasks.fusion.scores import ScoreTable, score_table

_LIMITS = (
    "Fused scores lie between 0 and 1 and only their order means something. The members are taken to err independently "
    "of each other; where several of them make the same error, so does the fusion, and its uncertainty is too small. "
    "Research use only."
)


@dataclass(frozen=True)
class FusionSettings:
    """What a fusion learns from.

    Attributes
    ----------
    members : tuple of str
        Models of the registry; all must use the same windows.
    scales : tuple of float
        Pixel sizes, um.
    windows, held_out : int
        Windows of each scale to learn from and to choose the best state by.
    linear : bool
        Weigh all windows alike instead of by a network.
    sampled : bool
        Average the objective over the uncertainty of z, instead of taking z as certain.
    """

    members: tuple[str, ...] = FUSED
    scales: tuple[float, ...] = (0.25, 0.5)
    windows: int = 1_500
    held_out: int = 800
    linear: bool = False
    sampled: bool = False


class FusionTask(Task):
    """One kind of fusion, for every scale; the state with the best objective on held-out windows is kept.

    Parameters
    ----------
    name : str
        ``fusion-sf-ms``, ``fusion-rf-ms``, ``fusion-sf-m`` or ``fusion-rf-m``.
    """

    def __init__(self, name: str, data: Path | None, settings: FusionSettings) -> None:
        self.name, self.settings = name, settings
        self.variant = fusion_variant(name)
        self.best = {f"{mpp:g}": f"objective_{mpp:g}" for mpp in settings.scales}
        self._data, self._batch = data, 0
        self.networks: dict[float, FusionNetwork] = {}
        self.references: dict[float, FloatArray] = {}
        self._known: dict[float, Tensor] = {}
        self._held_out: dict[float, ScoreTable] = {}

    def prepare(self, config: LabConfig) -> None:
        """Let every member score crops of the banks that the networks learn from; the scores are kept."""
        folder, own, usual = data_folder(self._data), self.settings, NetSettings()
        banks = banks_for(folder, "train", usual.scales, usual.crops)
        unseen = banks_for(folder, "validation", usual.scales, usual.held_out)
        for mpp in own.scales:
            known = score_table(banks[mpp], mpp, own.members, own.windows)
            self.learn_from(mpp, known.scores, score_table(unseen[mpp], mpp, own.members, own.held_out), config)

    def learn_from(self, mpp: float, scores: FloatArray, held_out: ScoreTable, config: LabConfig) -> None:
        """Take the scores (N, M) of one scale."""
        self._batch = config.batch
        self.references[mpp] = reference_quantiles(scores)
        self._known[mpp] = torch.from_numpy(normalised(scores, self.references[mpp], self.variant.ranks))
        self._held_out[mpp] = held_out

    def modules(self) -> dict[str, nn.Module]:
        """One network for each scale."""
        if not self.networks:
            count = len(self.settings.members)
            for mpp in self.settings.scales:
                level, linear = self.variant.score_level, self.settings.linear
                self.networks[mpp] = FusionNetwork(count, score_level=level, linear=linear)
        return {f"{mpp:g}": network for mpp, network in self.networks.items()}

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Sum over the scales, which share nothing."""
        losses = []
        for mpp, known in self._known.items():
            x = known[torch.randint(len(known), (self._batch,), generator=generator)].to(self.device)
            draw = torch.randn(len(x), generator=generator).to(self.device) if self.settings.sampled else None
            losses.append(self.networks[mpp].objective(x, draw))
        return {"loss": torch.stack(losses).sum()}

    def validate(self) -> dict[str, float]:
        """Objective on held-out windows; and the rank correlation with the truth, which nothing is chosen by."""
        figures = {}
        for mpp, table in self._held_out.items():
            x = torch.from_numpy(normalised(table.scores, self.references[mpp], self.variant.ranks)).to(self.device)
            draw = torch.randn(len(x), device=self.device) if self.settings.sampled else None
            figures[f"objective_{mpp:g}"] = float(self.networks[mpp].objective(x, draw))
            figures[f"srcc_{mpp:g}"] = srcc(self.fuser(mpp).fuse(table.scores).scores, table.levels)
        return figures

    def fuser(self, mpp: float) -> Fuser:
        """The fusion as the program computes it, in its present state."""
        tensors = self.networks[mpp].tensors() | {"reference": self.references[mpp]}
        return Fuser.from_tensors(tensors, self.variant.ranks)

    def identity(self) -> dict[str, Any]:
        """The scores learned from."""
        digests = {mpp: hashlib.sha256(known.numpy().tobytes()).hexdigest()[:16] for mpp, known in self._known.items()}
        return {f"scores at {mpp:g} um": digest for mpp, digest in digests.items()}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """Weights of all scales in one file, and the model card."""
        path = out / f"{self.name}.safetensors"
        save_fusion(path, {mpp: self.fuser(mpp) for mpp in self.networks}, self.settings.members)
        own = self.settings
        facts = {
            "Model": f"{self.variant.summary}; members {', '.join(own.members)}; "
            + ("one weight for each member" if own.linear else f"six fully connected layers of {len(own.members)}"),
            "Output": "z in 0..1, larger is blurrier; its standard deviation; the weight of every member",
            "Method": "maximum a posteriori of the observation model with skew-normal noise, Adam, no labels; least "
            f"noise of a member {FLOOR:g}",
            "Data": f"scores of {own.windows} simulated crops of each scale",
            "Split": f"by image and by phantom; {own.held_out} held-out crops of each scale choose the state",
        } | run.rows(path)
        write_card(path.with_suffix(".md"), self.name, facts, self._figures(run), _LIMITS)
        return [path, path.with_suffix(".md")]

    def _figures(self, run: RunFacts) -> str:
        rows = ["SRCC with the true distance from focus, held-out simulated crops:", "", "| scale | fused | "]
        rows[-1] += " | ".join(self.settings.members) + " |"
        rows.append("|---|---|" + "---|" * len(self.settings.members))
        for mpp, table in self._held_out.items():
            single = " | ".join(f"{srcc(column, table.levels):.3f}" for column in table.scores.T)
            rows.append(f"| {mpp:g} um/px | {run.figures[f'srcc_{mpp:g}']:.3f} | {single} |")
        return "\n".join(rows)


def save_fusion(path: Path, fusers: dict[float, Fuser], members: tuple[str, ...]) -> None:
    """Write the weights file that :class:`focusviewer.focus.fusion.model.FusionModel` reads."""
    from safetensors.numpy import save

    tensors: dict[str, np.ndarray] = {}
    for mpp, fuser in fusers.items():
        parts = {
            "reference": fuser.reference,
            "encoder.weights": np.stack([weight for weight, _ in fuser.layers]),
            "encoder.biases": np.stack([bias for _, bias in fuser.layers]),
            "response": fuser.response,
            "spread": fuser.spread,
            "shape": fuser.shape,
            "noise": fuser.noise,
        }
        tensors |= {f"mpp{mpp:g}/{name}": np.ascontiguousarray(value) for name, value in parts.items()}
    ranks = {"true" if fuser.ranks else "false" for fuser in fusers.values()}.pop()
    metadata = {"members": json.dumps(list(members)), "ranks": ranks, "simulator": SIMULATOR_VERSION}
    write_safetensors(path, save(tensors, metadata))


def entries() -> list[TaskEntry]:
    """The four kinds of fusion."""
    return [_entry(variant.name, variant.summary) for variant in VARIANTS]


def _entry(name: str, summary: str) -> TaskEntry:
    def build(data: Path | None, settings: Any) -> Task:
        return FusionTask(name, data, settings)

    config = LabConfig(steps=6_000, batch=256, learning_rate=2e-3)
    return TaskEntry("fusion", name, summary, build, FusionSettings(), config)
