"""How the radiance network is validated: gains over the nearest given plane on held-out stacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.training.data.stack_bank import StackBank, draw_case, signed_planes
from focusviewer.training.tasks.radiance.cases import CasePlan, Cases, Subset, assemble, believed_tissue

_AT_ONCE = 8
_SEED = 61
_ABOUT_UM = 0.9
"""A plane this near to the distance that a check names is about there."""


@dataclass(frozen=True)
class Check:
    """One kind of validation case. ``z_um`` is about how far the single plane of a deblurring check is from focus."""

    name: str
    inputs: int
    given: str
    asked: str
    z_um: float | None = None


CHECKS = (
    Check("gain_0um", 1, "one plane in focus", "in focus (nothing should change but the noise)", 0.0),
    Check("gain_1um", 1, "one plane about 1 um from focus", "in focus", 1.0),
    Check("gain_2um", 1, "one plane about 2 um from focus", "in focus", 2.0),
    Check("gain_3um", 1, "one plane about 3 um from focus", "in focus", 3.0),
    Check("gain_4um", 1, "one plane about 4 um from focus", "in focus", 4.0),
    Check("gain_fs1", 1, "one plane", "any other, 0.5 um away or more"),
    Check("gain_fs2", 2, "two planes", "any other, 0.5 um away or more"),
    Check("gain_fs3", 3, "three planes", "any other, 0.5 um away or more"),
)


@torch.no_grad()
def check_figures(net: nn.Module, bank: StackBank, count: int, device: torch.device) -> dict[str, float]:
    """Mean gain in PSNR, dB, of each of :data:`CHECKS` for which there are stacks, and of all of these (``gain``).

    Parameters
    ----------
    bank : StackBank
        Held-out stacks.
    count : int
        Stacks of each check: the same ones every time.
    """
    figures = {}
    for check in CHECKS:
        before, after = [], []
        for cases in _cases(bank, check, count):
            part = cases.to(device)
            made = net(part.given.images, part.given.defocus, part.target).float().clamp(0, 1)
            after.append(decibels(made, part.wanted))
            before.append(decibels(nearest_plane(part.given, part.target), part.wanted))
        if after:
            figures[check.name] = float((torch.cat(after) - torch.cat(before)).mean())
    return {"gain": float(np.mean(list(figures.values())))} | figures


def _cases(bank: StackBank, check: Check, count: int) -> list[Cases]:
    size = bank.recorded.shape[2]
    rows = np.linspace(0, len(bank) - 1, count).astype(int)
    if check.z_um is not None:
        rows = rows[np.abs(np.abs(bank.z_um[rows]) - check.z_um).min(axis=1) <= _ABOUT_UM]
    plans = [_plan(bank, int(row), check, size) for row in rows]
    parts = [plans[start : start + _AT_ONCE] for start in range(0, len(plans), _AT_ONCE)]
    return [assemble(bank, part, np.zeros((len(part), 2), np.int64), size) for part in parts]


def _plan(bank: StackBank, row: int, check: Check, size: int) -> CasePlan:
    """The case of a stack, always the same."""
    rng = np.random.default_rng((_SEED, row, len(check.name), check.inputs, int(10 * (check.z_um or 0))))
    z_um = bank.z_um[row]
    focus = int(np.flatnonzero(z_um == 0)[0])
    if check.z_um is not None:
        side = np.abs(np.abs(z_um) - check.z_um) + 1e-6 * rng.random(len(z_um))
        given, target = [int(np.argmin(side))], focus
    else:
        given, target = draw_case(bank, row, check.inputs, rng)
    sign = 1.0 if np.array_equal(signed_planes(bank, row, given), z_um) else -1.0
    tissue_um = believed_tissue(sign * z_um[given], size, rng)
    return CasePlan(row, given, given, target, sign, tissue_um, following=target == focus)


def nearest_plane(given: Subset, target: Tensor) -> Tensor:
    """The given plane that is nearest to the target, on average over the picture: float32 (B, 3, H, W)."""
    distance = (given.defocus - target[:, None]).abs().mean((2, 3, 4))
    return given.images[torch.arange(len(distance)), distance.argmin(1)]


def decibels(made: Tensor, wanted: Tensor) -> Tensor:
    """PSNR of each picture of a batch, dB: float32 (B,)."""
    error = (made - wanted).square().mean((1, 2, 3)).clamp_min(1e-10)
    return -10 * torch.log10(error)
