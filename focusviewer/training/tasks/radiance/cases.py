"""Training cases of the radiance network: planes of a stack, estimates of their focus, and a target.

The tissue of a simulated field lies at depth 0. What a network is told is not the truth but an estimate of that depth,
as wrong as estimates are: off by a constant, drifting over the picture, and, from one plane, too small or too large in
proportion. Two kinds of targets are drawn. "Plane z of the axis": the distance from the input planes is
exact, the distance from the tissue is off. "In focus": the target map follows the estimate, and the answer is the
plane that really is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from focusviewer.core.arrays import FloatArray
from focusviewer.training.common import augment
from focusviewer.training.data.stack_bank import StackBank, draw_case, signed_planes

INPUTS = {1: 0.5, 2: 0.2, 3: 0.24, 4: 0.03, 5: 0.03}
"""How often so many planes are given. Wang 2024 gives three; most scans have one."""

MOST = 6
"""Planes in both subsets of a stack together."""

IN_FOCUS = 0.5
"""Share of targets that are the plane in focus."""

FOLLOWING = 0.7
"""Share of those that are asked for by a map that follows the estimated tissue."""

IDENTITY = 0.1
"""Share of single planes that are in focus and asked for in focus: they must stay as they are."""

FAR_UM, NEAR_UM, NEAR_SHARE = 0.75, 0.2, 0.25
"""Inputs are at least this far from the target, so that copying is not learned; in a share of cases they may be nearer,
so that small distances are learned as well."""

EXACT = 0.2
"""Share of fields whose depth is told exactly."""

OFFSET_UM, DRIFT_UM, SCALE = (0.3, 0.2), 0.15, (0.45, 1.1)
"""Errors of the estimate: constant (from one plane, from several), drifting, and, from one plane, in proportion to the
blur. Careful estimates of blur are too small: those of the fast engine are half of it on held-out stacks."""


@dataclass(frozen=True)
class Subset:
    """Planes of stacks: float32 (B, FS, 3, S, S) in 0..1, and how far each is believed to be from the tissue, um.

    ``defocus`` is float32 (B, FS, 1, S, S), signed: plane minus tissue.
    """

    images: Tensor
    defocus: Tensor

    def to(self, device: torch.device) -> Subset:
        """The same on a device."""
        return Subset(self.images.to(device), self.defocus.to(device))


@dataclass(frozen=True)
class Cases:
    """A batch of cases: what is given, what is asked for, and the pictures wanted.

    Attributes
    ----------
    given, other : Subset
        Two subsets of each stack that have no plane in common; either is enough to render from.
    target : float32 (T * B, 1, S, S)
        What is asked for: signed um from where the tissue is believed to be. T rounds of targets for the same B stacks,
        one round after the other.
    wanted : float32 (T * B, 3, S, S)
        The pictures wanted, without noise.
    """

    given: Subset
    other: Subset
    target: Tensor
    wanted: Tensor

    def to(self, device: torch.device) -> Cases:
        """The same on a device."""
        return Cases(self.given.to(device), self.other.to(device), self.target.to(device), self.wanted.to(device))


@dataclass(frozen=True)
class CasePlan:
    """One case by the rows and planes of the bank, before any picture is cut.

    Attributes
    ----------
    row : int
        The stack.
    given, other : list of int
        Planes; disjoint.
    target : int
        The plane wanted.
    sign : float
        -1 where the axis is mirrored.
    tissue_um : float32 (S, S)
        Where the tissue is believed to be, on the axis as it is after mirroring; the truth is 0.
    following : bool
        Whether the target map follows the tissue.
    """

    row: int
    given: list[int]
    other: list[int]
    target: int
    sign: float
    tissue_um: FloatArray
    following: bool


def draw_cases(
    bank: StackBank, count: int, crop_px: int, generator: torch.Generator, rounds: int = 1, pairs: float = 0.0
) -> Cases:
    """A batch of random cases with equally many inputs; a pure function of the generator's state.

    Parameters
    ----------
    rounds : int
        Targets for each stack: encoding costs as much as rendering several targets.
    pairs : float
        Share of subsets that hold two planes whatever :data:`INPUTS` says.
    """
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    sizes = [int(n) for n in rng.choice(list(INPUTS), 2, p=list(INPUTS.values()))]
    if pairs:
        sizes = [2 if rng.random() < pairs else size for size in sizes]
    first, second = sizes[0], min(sizes[1], MOST - sizes[0])
    plans = [draw_plan(bank, first, second, crop_px, rng) for _ in range(count)]
    corners = rng.integers(0, bank.recorded.shape[2] - crop_px + 1, (count, 2))
    more = [[redraw_plan(bank, plan, rng) for plan in plans] for _ in range(rounds - 1)]
    cases = assemble(bank, plans, corners, crop_px, more)
    turn = int(torch.randint(2**31, (1,), generator=generator))
    return _turned(cases, turn)


def draw_plan(bank: StackBank, first: int, second: int, crop_px: int, rng: np.random.Generator) -> CasePlan:
    """One random case with ``first`` and ``second`` planes given."""
    row = int(rng.integers(len(bank)))
    z_um = bank.z_um[row]
    focus = int(np.flatnonzero(z_um == 0)[0])
    far_um = NEAR_UM if rng.random() < NEAR_SHARE else FAR_UM
    in_focus = rng.random() < IN_FOCUS
    while True:
        if first == 1 and rng.random() < IDENTITY:
            given, target = [focus], focus
        else:
            given, target = draw_case(bank, row, first, rng, far_um, focus if in_focus else None)
        sign, other = _second_subset(bank, row, given, target, second, far_um, rng)
        if other:
            break
        in_focus = False  # another target may leave enough
    tissue_um = believed_tissue(sign * z_um[given], crop_px, rng)
    following = target == focus and bool(rng.random() < FOLLOWING)
    return CasePlan(row, given, other, target, sign, tissue_um, following)


def redraw_plan(bank: StackBank, plan: CasePlan, rng: np.random.Generator) -> CasePlan:
    """Another target for the subsets of a case, half of the time the plane in focus; the same where none is left.

    As subsets are drawn already, targets may be as near to their planes as :data:`NEAR_UM`.
    """
    z_um = bank.z_um[plan.row]
    drawn = z_um[[*plan.given, *plan.other]]
    apart = np.abs(z_um[:, None] - drawn).min(axis=1)
    possible = np.flatnonzero((apart >= NEAR_UM) & (np.arange(len(z_um)) != plan.target))
    if not len(possible):
        return plan
    focus = int(np.flatnonzero(z_um == 0)[0])
    target = focus if focus in possible and rng.random() < IN_FOCUS else int(rng.choice(possible))
    return replace(plan, target=target, following=target == focus and bool(rng.random() < FOLLOWING))


def _second_subset(
    bank: StackBank, row: int, given: list[int], target: int, count: int, far_um: float, rng: np.random.Generator
) -> tuple[float, list[int]]:
    """Direction of the axis, and planes of the second subset; none where too few are left.

    A single plane of either subset must have the tissue on its positive side.
    """
    z_um = bank.z_um[row]
    left = [p for p in range(len(z_um)) if p not in (*given, target) and abs(z_um[p] - z_um[target]) >= far_um]
    mirrored = not np.array_equal(signed_planes(bank, row, given), z_um)
    sign = -1.0 if mirrored else 1.0
    if len(given) > 1 or z_um[given[0]] == 0:
        sign = float(rng.choice((-1.0, 1.0)))
    if count == 1:
        left = [p for p in left if sign * z_um[p] <= 0]
    if len(left) < count:
        return sign, []
    return sign, sorted(int(plane) for plane in rng.choice(left, count, replace=False))


def believed_tissue(planes_um: FloatArray, crop_px: int, rng: np.random.Generator) -> FloatArray:
    """An estimate of the tissue's depth, which is 0, from planes at ``planes_um``: float32 (S, S)."""
    if rng.random() < EXACT:
        return np.zeros((crop_px, crop_px), np.float32)
    single = len(planes_um) == 1
    offset = rng.normal(0, OFFSET_UM[0 if single else 1])
    if single:
        offset -= (1 - rng.uniform(*SCALE)) * abs(float(planes_um[0]))
    knots = torch.from_numpy(rng.normal(0, DRIFT_UM, (1, 1, 3, 3)).astype(np.float32))
    drift = torch.nn.functional.interpolate(knots, (crop_px, crop_px), mode="bicubic", align_corners=True)
    return np.asarray(drift[0, 0].numpy() + np.float32(offset), np.float32)


def assemble(
    bank: StackBank,
    plans: list[CasePlan],
    corners: npt.NDArray[np.integer],
    crop_px: int,
    more: Sequence[list[CasePlan]] = (),
) -> Cases:
    """Cut the pictures of cases, each at its corner (y, x); ``more`` are further rounds with the same subsets."""
    rounds = [*plans, *(plan for part in more for plan in part)]
    places = corners.tolist() * (1 + len(more))
    given, other = (
        Subset(
            torch.stack([_pictures(bank.recorded, q.row, getattr(q, side), corner, crop_px) for q, corner in rows]),
            torch.stack([_defocus(bank, q, getattr(q, side)) for q, _ in rows]),
        )
        for rows in [list(zip(plans, corners.tolist(), strict=True))]
        for side in ("given", "other")
    )
    wanted = torch.cat(
        [_pictures(bank.clean, q.row, [q.target], c, crop_px) for q, c in zip(rounds, places, strict=True)]
    )
    target = torch.stack([torch.from_numpy(_target(bank, plan))[None] for plan in rounds])
    return Cases(given, other, target, wanted)


def _pictures(pictures: npt.NDArray[np.uint8], row: int, planes: list[int], corner: list[int], size: int) -> Tensor:
    y, x = corner
    cut = np.stack([pictures[row, plane, y : y + size, x : x + size] for plane in planes])
    return torch.from_numpy(cut).permute(0, 3, 1, 2).float().div_(255)


def _defocus(bank: StackBank, plan: CasePlan, planes: list[int]) -> Tensor:
    """Signed distances of planes from the believed tissue; a single plane is never believed to lie beyond it."""
    signed = plan.sign * bank.z_um[plan.row][planes]
    maps = torch.from_numpy((signed[:, None, None] - plan.tissue_um).astype(np.float32))[:, None]
    return maps.clamp_(max=0) if len(planes) == 1 else maps


def _target(bank: StackBank, plan: CasePlan) -> FloatArray:
    if plan.following:
        return np.zeros_like(plan.tissue_um)
    wanted = plan.sign * bank.z_um[plan.row][plan.target]
    return np.asarray(wanted - plan.tissue_um, np.float32)


def _turned(cases: Cases, seed: int) -> Cases:
    """The batch flipped and turned as one."""

    def turn(batch: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return augment(batch.flatten(0, -4), generator).reshape(batch.shape).contiguous()

    given, other = (Subset(turn(part.images), turn(part.defocus)) for part in (cases.given, cases.other))
    return Cases(given, other, turn(cases.target), turn(cases.wanted))
