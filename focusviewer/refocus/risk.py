"""How far off a refocused plane is to be expected: what to show of several planes, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.refocus.base import FloatMap
from focusviewer.refocus.operators import (
    BLUR_GRID_UM,
    MAX_RESIDUAL_UM,
    NOISE_RATIOS,
    RESIDUAL_STEP_UM,
    SCANNER,
    operator,
    relative_transfer,
    scarcity,
)

SPREADS_UM = (0.25, 0.5, 1.0, 2.0)
"""Doubts about depth for which the tables are made."""

BLEND_STEPS = 8
"""Steps of the way from one plane to the next at which their mixture is looked at."""

_NOISE = 2e-3
_LEVEL = 1


@dataclass(frozen=True)
class RiskTables:
    """Expected squared errors, relative to the detail of sharp tissue.

    Attributes
    ----------
    shown : float32 (B, R)
        Of a plane ``B`` steps out of focus shown as it is, where ``R`` steps are wanted.
    refocused : float32 (S, B, R)
        Of the same after refocusing, if the depth is off by each of SPREADS_UM.
    """

    mpp: float
    shown: FloatMap
    refocused: FloatMap

    def blended(self, gap_um: float, way: npt.NDArray[np.floating], above_um: npt.NDArray[np.floating]) -> FloatMap:
        """Of mixing two planes: ``way`` 0..1 from one to the other, tissue ``above_um`` the target; broadcast."""
        table = blend_table(self.mpp, round(gap_um, 3))
        row = np.clip(np.asarray(way, np.float32) * BLEND_STEPS, 0, BLEND_STEPS - 1e-3)
        centre = table.shape[1] // 2
        column = np.clip(np.asarray(above_um, np.float32) / RESIDUAL_STEP_UM + centre, 0, 2 * centre - 1e-3)
        y, x = row.astype(np.intp), column.astype(np.intp)
        dy, dx = row - y, column - x
        low = table[y, x] * (1 - dx) + table[y, x + 1] * dx
        high = table[y + 1, x] * (1 - dx) + table[y + 1, x + 1] * dx
        return np.asarray(low * (1 - dy) + high * dy, dtype=np.float32)

    def at(self, table: FloatMap, blur_um: npt.NDArray[np.floating], residual_um: npt.NDArray[np.floating]) -> FloatMap:
        """Bilinear look-up: blur and residual in um, of shapes that broadcast; ``table`` (..., B, R)."""
        (b0, bw), (r0, rw) = (_place(values, table.shape[-1]) for values in (blur_um, residual_um))
        low = table[..., b0, r0] * (1 - rw) + table[..., b0, r0 + 1] * rw
        high = table[..., b0 + 1, r0] * (1 - rw) + table[..., b0 + 1, r0 + 1] * rw
        return np.asarray(low * (1 - bw) + high * bw, dtype=np.float32)


def _place(values_um: npt.NDArray[np.floating], count: int) -> tuple[npt.NDArray[np.intp], FloatMap]:
    position = np.clip(np.asarray(values_um, np.float32) / np.float32(RESIDUAL_STEP_UM), 0, count - 1.001)
    below = position.astype(np.intp)
    return below, (position - below).astype(np.float32)


@lru_cache(maxsize=8)
def _detail(mpp: float) -> tuple[FloatMap, FloatMap, FloatMap, FloatMap]:
    """Frequencies; transfer of green light at each step of distance; weights of detail and of noise."""
    frequency = np.linspace(0.02, min(0.5 / mpp, 1.5), 96, dtype=np.float32)
    steps = np.arange(0, MAX_RESIDUAL_UM + RESIDUAL_STEP_UM / 2, RESIDUAL_STEP_UM)
    detail = frequency / scarcity(frequency)
    transfer = np.stack([relative_transfer(frequency, float(z), SCANNER)[1] for z in steps])
    return frequency, transfer, detail / detail.sum(), _NOISE * frequency / detail.sum()


@lru_cache(maxsize=64)
def blend_table(mpp: float, gap_um: float) -> FloatMap:
    """Expected squared error of mixing two planes by their nearness to the target.

    Parameters
    ----------
    gap_um : float
        Distance between the planes.

    Returns
    -------
    float32 (BLEND_STEPS + 1, 2 B + 1)
        Rows: how far along the way the target is. Columns: how far above the target the tissue lies, from -B to B
        steps of RESIDUAL_STEP_UM. Noise that the mixing takes away counts for it.
    """
    _, transfer, weight, noise = _detail(mpp)
    above = np.arange(-(len(transfer) - 1), len(transfer)) * RESIDUAL_STEP_UM
    wanted = _at(transfer, np.abs(above))
    rows = []
    for share in np.linspace(0, 1, BLEND_STEPS + 1):
        below = _at(transfer, np.abs(above + share * gap_um))
        beyond = _at(transfer, np.abs(above - (1 - share) * gap_um))
        error = np.square((1 - share) * below + share * beyond - wanted) @ weight
        rows.append(np.maximum(error - 2 * share * (1 - share) * noise.sum(), 0))
    return np.asarray(rows, np.float32)


def _at(transfer: FloatMap, distance_um: npt.NDArray[np.floating]) -> FloatMap:
    below, weight = _place(distance_um, len(transfer))
    return transfer[below] + weight[:, None] * (transfer[below + 1] - transfer[below])


@lru_cache(maxsize=8)
def risk_tables(mpp: float) -> RiskTables:
    """The tables for a pixel size (cached); green light stands for all."""
    frequency, transfer, weight, noise = _detail(mpp)
    steps = np.arange(len(transfer)) * RESIDUAL_STEP_UM
    count = steps.size
    shown = np.square(transfer[:, None] - transfer[None]) @ weight
    refocused = np.empty((len(SPREADS_UM), count, count), np.float32)
    index = np.arange(count)
    for b, blur in enumerate(steps):
        known = min(float(blur), BLUR_GRID_UM[-1])
        for r, residual in enumerate(steps):
            wanted = abs(float(residual) + known - float(blur))
            made = operator(frequency, known, wanted, NOISE_RATIOS[_LEVEL])[1] if b != r else np.ones_like(frequency)
            for s, spread in enumerate(SPREADS_UM):
                off = round(spread / RESIDUAL_STEP_UM)
                errors = [
                    np.square(
                        made * transfer[_folded(b + side * off, index)] - transfer[_folded(r + turn * off, index)]
                    )
                    for side in (-1, 1)
                    for turn in (-1, 1)
                ]
                refocused[s, b, r] = np.mean(errors, axis=0) @ weight + np.square(made - 1) @ noise
            if b == r:
                refocused[:, b, r] = 0.0
    return RiskTables(mpp, np.asarray(shown, np.float32), refocused)


def _folded(index: int, all_of_them: npt.NDArray[np.intp]) -> int:
    """Distances have no sign, and end."""
    return int(min(abs(index), all_of_them[-1]))
