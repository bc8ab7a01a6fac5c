"""Trains the networks that refocusing engines are compared with, on the same simulated focal stacks as they.

Interpolators are given two planes and asked for one between them; deblurring nets are given one plane and asked for
the one in focus, as it was before the camera's noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from focusviewer.refocus.baselines.blocks import parameter_count
from focusviewer.refocus.baselines.learned import DEBLURRERS, INTERPOLATORS, network
from focusviewer.training.common import augment, data_folder, write_card
from focusviewer.training.data.stack_bank import StackBank, StackBankConfig, draw_case, stack_bank
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts
from focusviewer.training.tasks.refocus.network_task import NetworkTask, decibels, robust

FAR_UM = 0.5
"""No input is nearer to the target, so that copying is not learned."""

IDENTITY = 0.1
"""Share of deblurring cases whose input is the plane in focus: it must stay as it is."""

_VALIDATION_BATCH = 16
_VALIDATION_SEED = 77


@dataclass(frozen=True)
class BaselineSettings:
    """What a baseline learns from: the bank of focal stacks, squares cut from it, and how many cases validate it."""

    fields: int = 1600
    crop_px: int = 96
    held_out: int = 128


@dataclass(frozen=True)
class Case:
    """Pictures of one field: what is given, what is wanted, and where between the given planes it lies.

    ``given`` is uint8 (P, S, S, 3), ``wanted`` uint8 (S, S, 3); ``position`` is 0..1, of two planes ``gap_um`` apart.
    """

    given: npt.NDArray[np.uint8]
    wanted: npt.NDArray[np.uint8]
    position: float = 0.0
    gap_um: float = 0.0


Drawer = Callable[[StackBank, np.random.Generator], Case]


def draw_between(bank: StackBank, rng: np.random.Generator) -> Case:
    """Two planes, and one between them that is :data:`FAR_UM` or more from either."""
    while True:
        row = int(rng.integers(len(bank)))
        z_um = np.asarray(bank.z_um[row])
        target = int(rng.integers(1, len(z_um) - 1))
        below = np.flatnonzero(z_um <= z_um[target] - FAR_UM)
        above = np.flatnonzero(z_um >= z_um[target] + FAR_UM)
        if below.size and above.size:
            break
    first, second = int(rng.choice(below)), int(rng.choice(above))
    gap_um = float(z_um[second] - z_um[first])
    position = float(z_um[target] - z_um[first]) / gap_um
    return Case(bank.recorded[row][[first, second]], bank.clean[row, target], position, gap_um)


def draw_blurred(bank: StackBank, rng: np.random.Generator) -> Case:
    """One plane, and the one in focus."""
    row = int(rng.integers(len(bank)))
    focus = int(np.flatnonzero(bank.z_um[row] == 0)[0])
    given = [focus]
    if rng.random() >= IDENTITY:
        given, _ = draw_case(bank, row, 1, rng, FAR_UM, focus)
    return Case(bank.recorded[row][given], bank.clean[row, focus])


class _BaselineTask(NetworkTask[nn.Module]):
    """What the four tasks share.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    best = "+gain"
    draw: Drawer

    def __init__(self, name: str, data: Path | None, settings: BaselineSettings | None = None) -> None:
        self.name = name
        self.settings: BaselineSettings = settings or BaselineSettings()
        self._data = data
        self._batch = 0
        self._bank: StackBank | None = None
        self._checks: list[Case] = []

    def _new_network(self) -> nn.Module:
        return network(self.name)

    def prepare(self, config: LabConfig) -> None:
        """Open the banks; they are made when they are not there yet, which takes minutes."""
        folder, bank = data_folder(self._data), StackBankConfig(fields=self.settings.fields)
        self._batch = config.batch
        self._bank = stack_bank(folder, "train", bank)
        held_out = stack_bank(folder, "validation", bank)
        rng = np.random.default_rng(_VALIDATION_SEED)
        self._checks = [type(self).draw(held_out, rng) for _ in range(self.settings.held_out)]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """A robust L1 over random squares."""
        assert self._bank is not None
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        cases = [type(self).draw(self._bank, rng) for _ in range(self._batch)]
        spare = self._bank.recorded.shape[2] - self.settings.crop_px
        corners = rng.integers(0, max(spare, 0) + 1, (len(cases), 2)).tolist()
        cut = [_cut(case, y, x, self.settings.crop_px) for case, (y, x) in zip(cases, corners, strict=True)]
        return {"loss": self._loss(*self._tensors(cut, generator))}

    def _tensors(self, cases: list[Case], generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Given (B, 3 P, S, S), wanted (B, 3, S, S), position and gap (B, 1, 1, 1), on the device."""
        pixels = np.stack([np.concatenate([*case.given, case.wanted], axis=2) for case in cases])
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
        if generator is not None:
            batch = augment(batch, generator)
        about = torch.tensor([[case.position, case.gap_um] for case in cases])[..., None, None]
        given, wanted = (part.contiguous(memory_format=torch.channels_last) for part in (batch[:, :-3], batch[:, -3:]))
        parts = given, wanted, about[:, :1], about[:, 1:]
        return tuple(part.to(self.device) for part in parts)  # type: ignore[return-value]

    def _loss(self, given: Tensor, wanted: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        raise NotImplementedError

    def _picture(self, given: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        raise NotImplementedError

    def _nothing(self, given: Tensor, position: Tensor) -> Tensor:
        """The picture without the network."""
        raise NotImplementedError

    def validate(self) -> dict[str, float]:
        """PSNR (dB) of held-out fields, and the gain against doing nothing; the means over pictures."""
        made, plain = [], []
        for start in range(0, len(self._checks), _VALIDATION_BATCH):
            given, wanted, position, gap_um = self._tensors(self._checks[start : start + _VALIDATION_BATCH], None)
            made.append(decibels(self._picture(given, position, gap_um), wanted))
            plain.append(decibels(self._nothing(given, position), wanted))
        after, before = torch.cat(made), torch.cat(plain)
        return {
            "psnr": float(after.mean()),
            "psnr_before": float(before.mean()),
            "gain": float((after - before).mean()),
            "worst_gain": float((after - before).min()),
        }

    def identity(self) -> dict[str, Any]:
        """The distances stand for the bank, which follows from the same generator."""
        assert self._bank is not None
        return {"fields": len(self._bank), "planes_um": float(np.abs(self._bank.z_um).sum())}

    def _write_card(self, path: Path, run: RunFacts, figures: dict[str, float]) -> None:
        settings = self.settings
        facts = {
            "Model": f"{self.name}, {parameter_count(self.net)} parameters, for comparison only",
            "Output": "pixels",
            "Data": f"{settings.fields} simulated focal stacks of 10 planes within 4 um, of sharp crops of real "
            "sections (CC0, Apache-2.0, BSD-3, free use) and of phantoms; random optics, noise, JPEG; 0.25 um/px; "
            f"{run.steps * run.config.batch} squares of {settings.crop_px} px seen",
            "Split": f"by image; the figures are of {settings.held_out} cases of held-out images",
        } | run.rows(path)
        names = {"before": self.without, "after": self.name}
        text = (
            "Held-out fields, mean PSNR in dB against the plane without noise:\n\n"
            f"| {names['before']} | {names['after']} | gain | worst gain |\n|---|---|---|---|\n"
            f"| {figures['psnr_before']:.2f} | {figures['psnr']:.2f} | {figures['gain']:+.2f} "
            f"| {figures['worst_gain']:+.2f} |"
        )
        write_card(path.with_suffix(".md"), f"{self.name}: a baseline of the refocusing tables", facts, text, LIMITS)

    without: str = "as scanned"


class InterpolatorTask(_BaselineTask):
    """DFI and LinearLatent."""

    draw = staticmethod(draw_between)
    without = "linear mix"

    def _picture(self, given: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        share = position.expand(-1, -1, *given.shape[2:])
        drawn: Tensor = self.net(given[:, :3], given[:, 3:], share, gap_um)
        return drawn

    def _nothing(self, given: Tensor, position: Tensor) -> Tensor:
        return torch.lerp(given[:, :3], given[:, 3:], position)

    def _loss(self, given: Tensor, wanted: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        loss = robust(self._picture(given, position, gap_um), wanted)
        if self.name == "linear-latent":  # the ends of the line are pictures too
            end = given[:, :3] if bool(position.sum() > 0.5 * len(position)) else given[:, 3:]
            loss = loss + 0.5 * robust(self.net.decode(self.net.encode(end)), end)  # type: ignore[operator]
        return loss


class DeblurTask(_BaselineTask):
    """The small Restormer and MPRNet."""

    draw = staticmethod(draw_blurred)

    def _picture(self, given: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        drawn: Tensor = self.net(given)
        return drawn

    def _nothing(self, given: Tensor, position: Tensor) -> Tensor:
        return given

    def _loss(self, given: Tensor, wanted: Tensor, position: Tensor, gap_um: Tensor) -> Tensor:
        if self.name == "mprnet-small":  # every stage is supervised
            pictures: list[Tensor] = self.net.pictures(given)  # type: ignore[operator]
            return torch.stack([robust(picture, wanted) for picture in pictures]).mean()
        return robust(self._picture(given, position, gap_um), wanted)


def _cut(case: Case, y: int, x: int, size: int) -> Case:
    rows, cols = slice(y, y + size), slice(x, x + size)
    return Case(case.given[:, rows, cols], case.wanted[rows, cols], case.position, case.gap_um)


LIMITS = (
    "A small version of a published method, trained for minutes on one processor core; it says nothing about what the "
    "published size and training would reach. Not offered in the window. Bright-field sections at 0.25 um/px, |z| up "
    "to 4 um. Draws pixels: may show detail that the scan does not hold."
)

STEPS = {"dfi": 2800, "linear-latent": 1200, "restormer-small": 600, "mprnet-small": 600}
"""Two to five minutes of one processor core each."""


def entries() -> list[TaskEntry]:
    """The trained baselines."""
    summaries = {
        "dfi": "comparison: U-net between two planes",
        "linear-latent": "comparison: autoencoder, interpolated in its latent space",
        "restormer-small": "comparison: deblurring by attention between channels",
        "mprnet-small": "comparison: deblurring in stages",
    }
    return [
        TaskEntry(
            "refocus",
            name,
            summaries[name],
            partial(InterpolatorTask if name in INTERPOLATORS else DeblurTask, name),
            BaselineSettings(),
            LabConfig(
                steps=STEPS[name], seed=50, batch=8, learning_rate=1e-3, clip=1.0, precision="bf16", validations=5
            ),
        )
        for name in (*INTERPOLATORS, *DEBLURRERS)
    ]
