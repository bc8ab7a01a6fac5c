"""Operators over several planes at once: the picture at a wanted focus as one sum of filtered planes.

For tissue at depth ``d``, planes at ``z_i`` and a wanted focus ``t``, with the transfer functions ``H_i`` of the
distances ``|z_i - d|`` and ``H_t`` of ``|t - d|``, the least-squares estimate passes each plane through

    T = g + (E[H H^T] + nsr)^-1 E[H (H_t - g H)]

Where one plane has a zero of transfer the other fills in, and the noise of all planes averages. The fallback ``g``
holds where no plane passed anything: planes mixed by their nearness to the target, and a Gaussian of the blur that the
target adds to theirs. With one plane this is the operator of :mod:`focusviewer.refocus.fast.operators`. At a target
where a plane was acquired ``T`` is that plane.

The means E are over what is never known: sections are some microns thick, so tissue lies around ``d`` and not at it,
and other apertures widen the blur. Planes that would have to be subtracted from each other to the last digit are not.
How much is taken to be unknown depends on how well the planes of a view follow from each other.

The planes are there through the basis filters already, so an operator is a few coefficients: those whose sum comes
closest to ``T`` in all planes together, where errors count by the energy that they let through.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray, FloatMap
from focusviewer.optics.psf import Optics
from focusviewer.refocus.base import SAME_Z_UM
from focusviewer.refocus.fast.guards import smooth_step
from focusviewer.refocus.fast.operators import (
    CAMERA_NOISE,
    MAX_RESIDUAL_UM,
    MODEL_ERROR,
    RESIDUAL_STEP_UM,
    SCANNER,
    OperatorBank,
    either_side,
    fallback_blur,
    operator_bank,
    scarcity,
)


@dataclass(frozen=True)
class Premises:
    """What is assumed about the unknowns.

    Attributes
    ----------
    spread_um : float
        Standard deviation of the depth of the tissue around its middle.
    optics : float
        That of what other optics make of a distance, a share of it.
    noise_ratio : float
        Noise to signal; scales nsr.
    """

    spread_um: float
    optics: float
    noise_ratio: float


SURE, DOUBTFUL = Premises(0.12, 0.05, 2e-3), Premises(0.35, 0.2, 1e-2)
"""For views whose planes follow from each other by the standard optics, and for the others.

Measured on training stacks: the first gains up to 2 dB on thin sections, and loses as much where it is not deserved.
"""

EXPLAINED = (0.015, 0.06)
"""Share of the difference between planes left unexplained up to which a view is sure, and from which it is doubtful."""

WINDOW = 4
"""Planes that are looked at together: the nearest on both sides of the target."""

TARGET_STEP_UM = 0.2
"""Targets of a map are mixed between operators for targets this far apart."""

_EVENNESS = 100.0  # glass has light at frequency zero only, and is to stay as bright as it is
_RIDGE = 1e-9


class JointOperators:
    """Mixing coefficients of planes for any target.

    Parameters
    ----------
    planes_um : sequence of float
        Increasing positions of at least two planes.
    depths_um : float (D,)
        Even grid of depths at which tissue may lie.
    mpp : float
        Pixel size, um.
    unexplained : float
        Share of the difference between the planes that no depth accounts for; see
        :meth:`focusviewer.refocus.fast.agreement.DepthEvidence.unexplained`.
    optics : Optics
        The lens.
    """

    def __init__(
        self,
        planes_um: Sequence[float],
        depths_um: npt.NDArray[np.floating],
        mpp: float,
        unexplained: float = 1.0,
        optics: Optics = SCANNER,
    ) -> None:
        # Only distances count, so that all regions of a slide share their operators.
        self._origin = float(planes_um[0])
        self._planes = tuple(round(float(z) - self._origin, 4) for z in planes_um)
        self._grid = (round(float(depths_um[0]) - self._origin, 4), float(depths_um[1] - depths_um[0]), len(depths_um))
        self._mpp, self._optics = mpp, optics
        self._doubt = float(smooth_step(unexplained, *EXPLAINED))

    def at(self, target_um: float) -> FloatArray:
        """Coefficients for every depth: float32 (D, n, J + 1), those of the basis filters and of the plane itself."""
        target = float(target_um) - self._origin
        first = _first_of_window(self._planes, target)
        some = self._planes[first : first + WINDOW]
        found = sum(
            np.float32(share) * _window(some, self._grid, self._mpp, premises, self._optics).coefficients(target)
            for premises, share in ((SURE, 1 - self._doubt), (DOUBTFUL, self._doubt))
            if share > 0
        )
        assert isinstance(found, np.ndarray)
        full = np.zeros((found.shape[0], len(self._planes), found.shape[2]), np.float32)
        full[:, first : first + len(some)] = found
        return full

    def cells(self, weights: FloatMap, target_um: FloatMap) -> FloatMap:
        """Coefficients of each cell, for depths of given probability.

        Parameters
        ----------
        weights : float32 (D, h, w)
            Probability of each depth.
        target_um : float32 (h, w)
            Wanted focus.

        Returns
        -------
        float32 (n, J + 1, h, w)
        """
        flat, target = weights.reshape(len(weights), -1), target_um.ravel()
        nodes = self._nodes(float(target.min()), float(target.max()))
        if len(nodes) == 1:
            mixed = self._mixed(nodes[0], flat)
        else:
            place = np.interp(target, nodes, np.arange(len(nodes)))
            filters = len(operator_bank(self._mpp, self._optics).basis) + 1
            mixed = np.zeros((filters * len(self._planes), target.size), np.float32)
            for index, node in enumerate(nodes):
                share = (1 - np.abs(place - index)).astype(np.float32)
                near = np.flatnonzero(share > 0)
                if near.size:
                    mixed[:, near] += self._mixed(node, flat[:, near]) * share[near]
        for index, z_um in enumerate(self._planes):  # exactly, not nearly
            here = np.abs(target - (z_um + self._origin)) < SAME_Z_UM
            if here.any():
                mixed[:, here] = 0
                mixed[(index + 1) * (len(mixed) // len(self._planes)) - 1, here] = 1
        return mixed.reshape(len(self._planes), -1, *target_um.shape)

    def _mixed(self, target_um: float, flat: FloatMap) -> FloatArray:
        table = self.at(target_um)
        return np.asarray(table.reshape(len(table), -1).T @ flat, dtype=np.float32)

    def _nodes(self, low: float, high: float) -> npt.NDArray[np.float64]:
        """Targets between which those of a map are mixed; the planes among them, as operators bend there."""
        inside = [z + self._origin for z in self._planes if low < z + self._origin < high]
        ends = [low, *inside, high]
        parts = [
            np.linspace(a, b, max(1, round((b - a) / TARGET_STEP_UM)), endpoint=False)
            for a, b in itertools.pairwise(ends)
            if b > a
        ]
        return np.concatenate([*parts, [high]])


def nearness(planes_um: Sequence[float], target_um: float | FloatMap) -> FloatArray:
    """Shares of the planes around a target by how near they are, of the outermost one beyond them: (n, ...)."""
    rows = np.eye(len(planes_um))
    return np.stack([np.interp(target_um, planes_um, row) for row in rows]).astype(np.float32)


def _first_of_window(planes_um: Sequence[float], target_um: float) -> int:
    """The first of the WINDOW planes around a target.

    It changes where the target is an acquired plane. There both windows give this plane alone: the picture does not
    jump.
    """
    below = int(np.searchsorted(planes_um, target_um))
    return int(np.clip(below - WINDOW // 2, 0, max(0, len(planes_um) - WINDOW)))


@lru_cache(maxsize=28)  # all of 16 planes, with both premises
def _window(
    planes_um: tuple[float, ...], grid: tuple[float, float, int], mpp: float, premises: Premises, optics: Optics
) -> _Window:
    bank = operator_bank(mpp, optics)
    return _Window(planes_um, grid[0] + grid[1] * np.arange(grid[2]), grid[1], bank, premises)


class _Window:
    """Operators of a few planes; what does not depend on the target is prepared once.

    Arrays are (D, n, F) with F counting the frequencies of all colours.
    """

    def __init__(
        self,
        planes_um: Sequence[float],
        depths_um: npt.NDArray[np.floating],
        step_um: float,
        bank: OperatorBank,
        premises: Premises,
    ) -> None:
        self._planes, self._depths, self._bank = planes_um, depths_um, bank
        frequency = np.tile(bank.frequency, 3)
        self._kernel = _gaussian(premises.spread_um / step_um)
        reach = 1.5 * premises.optics  # three scales of distance stand for all other optics
        self._scales = ((1 - reach, 2 / 9), (1.0, 5 / 9), (1 + reach, 2 / 9))
        self._passed = [self._transfer(depths_um[:, None] - np.asarray(planes_um), scale) for scale, _ in self._scales]
        squares = sum(
            share * np.einsum("dif,djf->dijf", h, h) for h, (_, share) in zip(self._passed, self._scales, strict=True)
        )
        scarce = scarcity(frequency)
        eye = np.eye(len(self._planes), dtype=np.float32)[None, :, :, None]
        system = _smoothed(squares, self._kernel) + eye * premises.noise_ratio * (scarce + MODEL_ERROR)
        self._inverse = np.moveaxis(np.linalg.inv(np.moveaxis(system, -1, 1)), 1, -1)
        self._basis = np.concatenate([bank.basis.reshape(len(bank.basis), -1), np.ones((1, frequency.size))])
        counts = np.where(frequency == 0, _EVENNESS, frequency + 0.01)
        self._weighted = (self._basis * counts).astype(np.float32)
        self._importance = (system / scarce + eye * CAMERA_NOISE).astype(np.float32)
        self._solution = self._solver()

    def _solver(self) -> npt.NDArray[np.float64]:
        """Inverse normal equations of the coefficients of all planes together, of each depth."""
        count, planes = len(self._basis), len(self._planes)
        products = (self._weighted[:, None] * self._basis).reshape(count * count, -1)
        blocks = self._importance.reshape(-1, products.shape[1]) @ products.T
        matrix = blocks.reshape(-1, planes, planes, count, count).transpose(0, 1, 3, 2, 4)
        matrix = matrix.reshape(-1, planes * count, planes * count).astype(np.float64)
        ridge = _RIDGE * np.trace(matrix, axis1=1, axis2=2) / (planes * count)
        return np.asarray(np.linalg.inv(matrix + ridge[:, None, None] * np.eye(planes * count)))

    def coefficients(self, target_um: float) -> FloatArray:
        """Coefficients for every depth: float32 (D, n, J + 1)."""
        wanted = self._operators(target_um)
        energy = np.einsum("dijf,djf->dif", self._importance, wanted)
        sides = energy.reshape(-1, energy.shape[-1]) @ self._weighted.T
        found = self._solution @ sides.reshape(len(self._depths), -1, 1)
        return np.asarray(found.reshape(len(self._depths), len(self._planes), -1), dtype=np.float32)

    def _operators(self, target_um: float) -> FloatArray:
        """The operators themselves."""
        shares = nearness(self._planes, target_um)
        distance = np.abs(self._depths[:, None] - np.asarray(self._planes)) @ shares
        excess = np.maximum(0.0, np.abs(target_um - self._depths) - distance)
        gaussian = fallback_blur(np.tile(self._bank.frequency, 3), excess[:, None], self._bank.optics)
        fallback = shares[:, None] * gaussian[:, None]
        missing = np.zeros_like(self._passed[0])
        for h, (scale, share) in zip(self._passed, self._scales, strict=True):
            lacks = self._transfer(self._depths - target_um, scale) - (fallback * h).sum(axis=1)
            missing += share * h * lacks[:, None]
        sums = np.einsum("dijf,djf->dif", self._inverse, _smoothed(missing, self._kernel))
        return np.asarray(fallback + sums, dtype=np.float32)

    def _transfer(self, away_um: npt.NDArray[np.floating], scale: float) -> FloatArray:
        """Transfer at signed distances (...): float32 (..., F)."""
        table = _transfers(self._bank.mpp, self._bank.optics)
        position = np.clip(np.abs(away_um) * scale / RESIDUAL_STEP_UM, 0, len(table) - 1.001)
        below = position.astype(np.intp)
        weight = (position - below).astype(np.float32)[..., None]
        return np.asarray(table[below] * (1 - weight) + table[below + 1] * weight, dtype=np.float32)


@lru_cache(maxsize=4)
def _transfers(mpp: float, optics: Optics) -> FloatArray:
    """Transfer of all colours at each step of distance: float32 (Z, F)."""
    frequency = operator_bank(mpp, optics).frequency
    steps = np.arange(0, MAX_RESIDUAL_UM + RESIDUAL_STEP_UM / 2, RESIDUAL_STEP_UM)
    return np.stack([either_side(frequency, float(z), optics).ravel() for z in steps])


def _gaussian(sigma: float) -> npt.NDArray[np.float32]:
    reach = int(np.ceil(2.5 * sigma))
    values = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    return np.asarray(values / values.sum(), dtype=np.float32)


def _smoothed(values: FloatArray, kernel: npt.NDArray[np.float32]) -> FloatArray:
    """Weighted means over neighbouring depths (the first axis)."""
    reach, count = kernel.size // 2, len(values)
    whole = np.concatenate([np.repeat(values[:1], reach, 0), values, np.repeat(values[-1:], reach, 0)])
    total = np.zeros_like(values)
    for index, share in enumerate(kernel):
        total += share * whole[index : index + count]
    return total
