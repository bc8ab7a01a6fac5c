"""What the fast engine believes about depth, and the operators that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap
from focusviewer.optics.psf import Optics
from focusviewer.refocus.fast.operators import (
    BLUR_GRID_UM,
    HYPOTHESES,
    NOISE_RATIOS,
    SCANNER,
    OperatorBank,
    equal_blur_um,
)

DEPTH_STEP_UM = 0.25
SINGLE_WEIGHT, PAIR_WEIGHT = 1.0, 10.0
"""Weights, in logarithms, of the selector's answer for single planes and of the agreement between planes."""
LIKELY = (0.1, 0.9)
"""Quantiles of the belief between which most of the tissue lies."""

BLURS_UM = np.array([guess.blur_um for guess in HYPOTHESES], np.float32)
_GRID_UM = np.array([0.0, *BLUR_GRID_UM], np.float32)
_LEVELS = len(NOISE_RATIOS)


@dataclass(frozen=True)
class Belief:
    """Where the tissue lies: probability of each (depth, noise) at quarter resolution.

    With one plane the entries are the selector's hypotheses, on the positive side of the plane. With several, they are
    depths on a grid around the planes.
    """

    depth_um: FloatMap  # (K,)
    noise_index: npt.NDArray[np.int64]  # (K,) into NOISE_RATIOS
    weights: FloatMap  # (K, h, w)

    @property
    def shape(self) -> tuple[int, int]:
        """Cells of the maps."""
        return self.weights.shape[1], self.weights.shape[2]

    def mean_depth(self) -> FloatMap:
        """Expected depth of the tissue in um: float32 (h, w)."""
        return np.asarray(np.tensordot(self.depth_um, self.weights, 1), dtype=np.float32)

    def likely_um(self) -> tuple[float, float]:
        """Depths between which most of the tissue lies, um: LIKELY of the belief in all cells together."""
        order = np.argsort(self.depth_um, kind="stable")
        total = np.cumsum(self.weights.mean(axis=(1, 2), dtype=np.float64)[order])
        low, high = (int(np.searchsorted(total, share * total[-1])) for share in LIKELY)
        return float(self.depth_um[order[low]]), float(self.depth_um[order[min(high, order.size - 1)]])

    def coefficients(self, z_um: float, target: FloatMap, bank: OperatorBank) -> FloatMap:
        """Mixing coefficients of the basis filters for a plane at ``z_um``: float32 (J, h, w)."""
        total = np.zeros((bank.basis.shape[0], *self.shape), np.float32)
        uniform = bool(np.all(target == target.flat[0]))
        for depth, noise, weight in zip(self.depth_um, self.noise_index, self.weights, strict=True):
            if weight.max() < 0.01:
                continue
            residual = np.abs(depth - (target.flat[0] if uniform else target))
            mixing = mix_between(bank, abs(float(depth) - z_um), int(noise), residual)
            total += mixing[:, None, None] * weight if uniform else np.moveaxis(mixing, -1, 0) * weight
        return total


def depth_grid(planes_um: Sequence[float]) -> FloatMap:
    """Depths around several planes at which tissue is looked for, um."""
    reach = float(_GRID_UM[-1])
    return np.arange(planes_um[0] - reach, planes_um[-1] + reach + 1e-6, DEPTH_STEP_UM, dtype=np.float32)


def believe(weights: Sequence[FloatMap], planes_um: Sequence[float], disagreement: FloatMap | None = None) -> Belief:
    """Combine the selector's answers for each plane; several planes tell on which side of each the tissue lies.

    Parameters
    ----------
    weights : sequence of float32 (K, h, w)
        Probability of each hypothesis, one map for each plane.
    planes_um : sequence of float
        Increasing z of the planes.
    disagreement : float32 (D, h, w), optional
        How much the planes disagree at each depth of :func:`depth_grid`, from
        :class:`focusviewer.refocus.fast.agreement.DepthEvidence`.
    """
    noise = np.array([0, *(list(range(_LEVELS)) * len(BLUR_GRID_UM))])
    if len(weights) == 1:
        return Belief(BLURS_UM + np.float32(planes_um[0]), noise, weights[0])
    depths = depth_grid(planes_um)
    log_belief = np.zeros((depths.size, *weights[0].shape[1:]), np.float32)
    for plane, z_um in zip(weights, planes_um, strict=True):
        # The noise levels of one blur count together; between grid points interpolate.
        merged = np.concatenate([plane[:1], plane[1:].reshape(-1, _LEVELS, *plane.shape[1:]).sum(axis=1)])
        density = merged / np.gradient(_GRID_UM)[:, None, None]
        position = np.interp(np.abs(depths - z_um), _GRID_UM, np.arange(_GRID_UM.size))
        below = np.minimum(position.astype(int), _GRID_UM.size - 2)
        weight = (position - below)[:, None, None].astype(np.float32)
        log_belief += np.log(density[below] * (1 - weight) + density[below + 1] * weight + 0.02)
    if disagreement is not None:
        # Neighbouring cells and planes share their pixels: the selector's answers together count as one.
        log_belief *= np.float32(SINGLE_WEIGHT / len(weights))
        log_belief -= np.float32(PAIR_WEIGHT) * disagreement
    belief = np.exp(log_belief - log_belief.max(axis=0))
    belief /= belief.sum(axis=0)
    return Belief(depths, np.ones(depths.size, np.int64), belief.astype(np.float32))


def certain(blur_um: FloatMap) -> FloatMap:
    """Hypothesis weights for a known distance from focus in um (h, w): float32 (K, h, w)."""
    position = np.interp(blur_um, _GRID_UM, np.arange(_GRID_UM.size))
    weights = np.zeros((len(HYPOTHESES), *blur_um.shape), np.float32)
    weights[0] = np.clip(1 - position, 0, 1)
    for index in range(1, _GRID_UM.size):
        first = 1 + _LEVELS * (index - 1)
        weights[first : first + _LEVELS] = np.clip(1 - np.abs(position - index), 0, 1) / _LEVELS
    return weights


def as_blurred_by(optics: Optics, weights: FloatMap) -> FloatMap:
    """What is believed of distances for the standard lens, at the distances where another lens blurs as much.

    Parameters
    ----------
    weights : float32 (K, h, w)
        Probability of each hypothesis; those of a noise level stay with it.
    """
    if optics == SCANNER:
        return weights
    place = np.interp(equal_blur_um(BLURS_UM, optics), _GRID_UM, np.arange(_GRID_UM.size))
    moved = np.zeros((len(HYPOTHESES), len(HYPOTHESES)), np.float32)
    for index, at in enumerate(place):
        noise = max(index - 1, 0) % _LEVELS
        below = min(int(at), _GRID_UM.size - 2)
        for level, share in ((below, 1 - (at - below)), (below + 1, at - below)):
            moved[0 if level == 0 else _LEVELS * (level - 1) + 1 + noise, index] += share
    return np.asarray(np.tensordot(moved, weights, 1), dtype=np.float32)


def mix_between(bank: OperatorBank, blur_um: float, noise: int, residual_um: npt.NDArray[np.floating]) -> FloatMap:
    """Coefficients for any blur: linear between the two nearest hypotheses of the bank, float32 (..., J)."""
    grid = _GRID_UM
    upper = int(np.clip(np.searchsorted(grid, blur_um), 1, grid.size - 1))
    fraction = float(np.clip((blur_um - grid[upper - 1]) / (grid[upper] - grid[upper - 1]), 0, 1))
    low_index = 0 if upper == 1 else _LEVELS * (upper - 2) + 1 + noise
    high_index = _LEVELS * (upper - 1) + 1 + noise
    # Keep the change of focus, not the residual, when moving to a neighbouring hypothesis: T(b -> b) stays 1.
    low = bank.mix(low_index, np.abs(residual_um + (grid[upper - 1] - blur_um))) if fraction < 1 else 0.0
    high = bank.mix(high_index, np.abs(residual_um + (grid[upper] - blur_um))) if fraction > 0 else 0.0
    return np.asarray(low * (1 - fraction) + high * fraction, dtype=np.float32)
