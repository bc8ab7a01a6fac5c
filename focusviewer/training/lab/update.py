"""One step of training: losses to gradients to weights, for one optimiser or several (adversarial training)."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor, nn

from focusviewer.training.common import cosine
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.task import LossOptimiser, Task


class NotFiniteError(Exception):
    """A loss or a weight is not a finite number."""


def stream_seed(seed: int, step: int, purpose: str) -> int:
    """Seed of one stream of random numbers: well mixed, so that neighbouring steps have nothing in common."""
    digest = hashlib.sha256(f"{seed}/{step}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def seed_layers(seed: int, device: torch.device) -> None:
    """Seed the generators that layers such as dropout draw from.

    ``torch.manual_seed`` does the same and takes a millisecond where there is no CUDA card.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


class Updater:
    """Makes the steps of a run; step n is a pure function of (weights, optimiser states, seed, n, steps).

    Parameters
    ----------
    steps : int
        Planned length, for the cosine schedule.
    """

    def __init__(self, task: Task, parts: list[LossOptimiser], config: LabConfig, steps: int) -> None:
        self._task, self._parts, self._config, self._steps = task, parts, config, steps
        self._peaks = [[group["lr"] for group in part.optimiser.param_groups] for part in parts]
        self._device = task.device.type

    def step(self, number: int) -> dict[str, float]:
        """Update once and give the losses.

        Raises
        ------
        NotFiniteError
            If a loss is not finite; nothing is updated by it.
        """
        self._set_rates(number / self._steps)
        active = [part for part in self._parts if number % part.every == 0]
        if self._task.alternate:
            return self._one_after_the_other(number, active)
        losses = self._losses(number)
        for part in active:
            part.optimiser.zero_grad()
        for part in active:
            self._backward(losses, part, keep=part is not active[-1])
        for part in active:
            self._move(part)
        return self._finite(losses)

    def _one_after_the_other(self, number: int, active: list[LossOptimiser]) -> dict[str, float]:
        figures: dict[str, float] = {}
        for part in active:
            losses = self._losses(number)
            figures = figures or self._finite(losses)
            part.optimiser.zero_grad()
            self._backward(losses, part, keep=False)
            self._move(part)
        return figures

    def _losses(self, number: int) -> dict[str, Tensor]:
        seed = self._config.seed
        seed_layers(stream_seed(seed, number, "layers"), self._task.device)
        generator = torch.Generator().manual_seed(stream_seed(seed, number, "batch"))
        with torch.autocast(self._device, torch.bfloat16, enabled=self._config.precision == "bf16"):
            losses = self._task.loss(number, generator)
        self._finite(losses)
        return losses

    def _finite(self, losses: dict[str, Tensor]) -> dict[str, float]:
        figures = {name: float(value.detach()) for name, value in losses.items()}
        for name, value in figures.items():
            if not math.isfinite(value):
                raise NotFiniteError(f"its {name} is {value:g}" if name == "loss" else f"its loss {name} is {value:g}")
        return figures

    def _backward(self, losses: dict[str, Tensor], part: LossOptimiser, keep: bool) -> None:
        # With inputs named, the generator's loss leaves no gradient in the discriminator it went through.
        inputs = part.parameters() if len(self._parts) > 1 else None
        losses[part.loss].backward(inputs=inputs, retain_graph=keep)  # type: ignore[no-untyped-call]

    def _move(self, part: LossOptimiser) -> None:
        if self._config.clip > 0:
            nn.utils.clip_grad_norm_(part.parameters(), self._config.clip)
        part.optimiser.step()

    def _set_rates(self, progress: float) -> None:
        for part, peaks in zip(self._parts, self._peaks, strict=True):
            for group, peak in zip(part.optimiser.param_groups, peaks, strict=True):
                group["lr"] = cosine(progress, peak)

    @property
    def rate(self) -> float:
        """Learning rate of the first optimiser at the last step."""
        return float(self._parts[0].optimiser.param_groups[0]["lr"])
