"""Learns the dictionary of SPARISH on blocks of sharp tissue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from focusviewer.core.arrays import FloatArray
from focusviewer.focus.knowledge.sparish import ATOMS, BLOCK, Sparish, cut_blocks
from focusviewer.focus.knowledge.sparse import omp
from focusviewer.focus.measures.base import to_gray
from focusviewer.metrics import srcc
from focusviewer.training.common import data_folder, save_weights, write_card
from focusviewer.training.data.sources import load_sources, sharp_crops
from focusviewer.training.data.stacks import simulate_focus_crops
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts, Task

_CROP_PX = 256
_WINDOW_PX = 235
_LEAST_CONTRAST = 2.0  # standard deviation, gray levels: emptier blocks hold only noise
_HELD_OUT = 4000


@dataclass(frozen=True)
class DictionarySettings:
    """What the dictionary learns from.

    Attributes
    ----------
    atoms : int
        Size of the dictionary; the blocks have 64 pixels.
    blocks : int
        Training blocks, drawn from all sharp crops.
    judged : int
        Simulated crops for the model card.
    """

    atoms: int = 256
    blocks: int = 80_000
    judged: int = 400


class DictionaryModule(nn.Module):
    """Atoms as rows, float32 (K, 64), of any length; :meth:`matrix` gives them length one."""

    def __init__(self, atoms: FloatArray) -> None:
        super().__init__()
        self.atoms = nn.Parameter(torch.from_numpy(atoms.copy()))

    def matrix(self) -> Tensor:
        """The dictionary: float32 (64, K), columns of length one."""
        return nn.functional.normalize(self.atoms, dim=1).T

    def forward(self, blocks: FloatArray) -> Tensor:
        """Share of each block's energy that its best atoms leave unexplained: float32 (n,).

        The codes are found by orthogonal matching pursuit and taken as they are; the gradient moves the atoms only.
        """
        matrix = self.matrix()
        chosen, weights = omp(blocks, matrix.detach().cpu().numpy(), ATOMS)
        picked = matrix.T[torch.from_numpy(chosen).to(matrix.device)]
        made = torch.einsum("nk,nkd->nd", torch.from_numpy(weights).to(matrix.device), picked)
        wanted = torch.from_numpy(blocks).to(matrix.device)
        return (wanted - made).square().sum(dim=1) / wanted.square().sum(dim=1)


class DictionaryTask(Task):
    """Online dictionary learning: code a batch sparsely, move the atoms to explain it better, repeat.

    Alternates as Olshausen and Field (1996) and Mairal et al. (2009) do, with Adam for the step of the atoms. Atoms
    start as training blocks. Blocks are brought to length one, so that faint detail counts as much as strong.
    """

    name = "sparish"
    best = "unexplained"

    def __init__(self, data: Path | None, settings: DictionarySettings | None = None) -> None:
        self.settings: DictionarySettings = settings or DictionarySettings()
        self._data = data
        self._batch = 0
        self._blocks = np.empty((0, BLOCK**2), np.float32)
        self._held_out = self._blocks
        self._module: DictionaryModule | None = None

    def prepare(self, config: LabConfig) -> None:
        """Cut the blocks of sharp crops."""
        folder, generator = data_folder(self._data), np.random.default_rng(config.seed)
        self._batch = config.batch
        self._blocks = sharp_blocks(folder, "train", self.settings.blocks, generator)
        self._held_out = sharp_blocks(folder, "validation", _HELD_OUT, generator)
        start = generator.choice(
            len(self._blocks), self.settings.atoms, replace=len(self._blocks) < self.settings.atoms
        )
        self._module = DictionaryModule(self._blocks[start])

    def modules(self) -> dict[str, nn.Module]:
        """The dictionary."""
        assert self._module is not None, "prepare comes first"
        return {"dictionary": self._module}

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Share of the energy that is left unexplained."""
        assert self._module is not None
        pick = torch.randint(len(self._blocks), (self._batch,), generator=generator).numpy()
        return {"loss": self._module(self._blocks[pick]).mean()}

    def validate(self) -> dict[str, float]:
        """The same on held-out images."""
        assert self._module is not None
        return {"unexplained": float(self._module(self._held_out).detach().mean())}

    def identity(self) -> dict[str, Any]:
        """How many blocks there are."""
        return {"blocks": len(self._blocks)}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``sparish.safetensors`` and its model card."""
        assert self._module is not None
        path = out / f"{self.name}.safetensors"
        save_weights(path, {"dictionary": self._module.matrix().detach().cpu()}, {})
        facts = {
            "Model": f"dictionary of {self.settings.atoms} atoms of {BLOCK} x {BLOCK} pixels for SPARISH, of which a "
            f"block is given {ATOMS}",
            "Output": "minus the logarithm of sparse energy over contrast, larger is blurrier; only the order counts",
            "Data": f"{len(self._blocks)} blocks of sharp crops of real sections (CC0, Apache-2.0, BSD-3, free use), "
            "gray, less their mean",
            "Split": "by image",
        } | run.rows(path)
        figures = f"Energy of held-out blocks left unexplained: {run.figures['unexplained']:.3f}\n\n"
        if self.settings.judged:
            figures += f"Simulated defocus of held-out crops, 0-5 um: SRCC {self._srcc(path, run.config.seed):.3f}\n"
        limits = (
            "It follows contrast as well as focus: compare windows of one slide, not of different ones. Learned on "
            "stained sections at 20x to 40x. Research use only."
        )
        write_card(path.with_suffix(".md"), path.stem, facts, figures, limits)
        return [path, path.with_suffix(".md")]

    def _srcc(self, path: Path, seed: int) -> float:
        crops = sharp_crops(load_sources(data_folder(self._data), "validation"), _CROP_PX)
        images, z_um, _ = simulate_focus_crops(crops, self.settings.judged, _WINDOW_PX, 0.25, (0.6, 0.8), 5.0, seed)
        model = Sparish(path)
        return srcc(np.array([model.score(image) for image in images]), z_um)


def sharp_blocks(data: Path, split: str, count: int, generator: np.random.Generator) -> FloatArray:
    """Blocks of sharp tissue, less their mean and of length one: float32 (at most count, 64)."""
    crops = sharp_crops(load_sources(data, split), _CROP_PX)
    each = -(-count // len(crops))
    blocks = np.concatenate(list(_some_blocks(crops, each, generator)))
    blocks = blocks[generator.permutation(len(blocks))[:count]]
    return np.asarray(blocks / np.linalg.norm(blocks, axis=1, keepdims=True), np.float32)


def _some_blocks(crops: npt.NDArray[np.uint8], each: int, generator: np.random.Generator) -> Iterator[FloatArray]:
    for crop in crops:
        blocks = cut_blocks(to_gray(crop) * np.float32(255))
        blocks = blocks[blocks.std(axis=1) > _LEAST_CONTRAST]
        yield blocks[generator.permutation(len(blocks))[:each]]


def entries() -> list[TaskEntry]:
    """``focusviewer train dictionary``."""
    return [
        TaskEntry(
            "dictionary",
            "sparish",
            "dictionary of sharp tissue patterns for SPARISH",
            DictionaryTask,
            DictionarySettings(),
            LabConfig(steps=1500, batch=1024, learning_rate=5e-3),
        )
    ]
