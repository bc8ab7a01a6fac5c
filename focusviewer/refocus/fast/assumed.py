"""Tissue that is taken to lie at one distance from focus: the filter for it, and what the fast engine makes of it.

Where the distance is said there is nothing for the selector to choose, and the bank's operators, which suit the noise
of simulated scans, are too bold for real ones: on six pairs of real planes (H&E, fat, a smear) nearly all of them lose
PSNR at every distance from 0.5 to 4 um, up to 13 dB. The Wiener filter here has a regularisation that rises smoothly
with the distance and leaves a share of the grain (KNOB_REGULARISATION and KEPT, ours: chosen with these pairs in view),
so that a picture that is turned through the distances gets sharper, then overdone, without a jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import FloatArray, FloatMap
from focusviewer.optics.psf import Optics
from focusviewer.refocus.fast.operators import (
    SCANNER,
    OperatorBank,
    either_side,
    fallback_blur,
    importance_of,
    operator_bank,
    scarcity,
)

KNOB_REGULARISATION = ((0.75, 0.1), (2.25, 1.0))
"""``n`` at two distances from focus, um; between them its logarithm is linear, beyond them it stays."""

SETTLED_UM = 0.5
"""Below this distance the regularisation fades away with the blur, so that 0 is the scan and nothing jumps."""

KEPT = 0.3
"""Share of the scan that stays where nothing is known: without grain a picture looks soft, with all of it, rough."""

STEP_UM = 0.25
"""Distances whose filters are found; between them the mixture is linear."""

FLOOR = 1e-4
"""Power that no filter divides by less than."""

_CONDITION = 1e-6


def knob_regularisation(blur_um: float) -> float:
    """``n`` for tissue that is taken to lie that far out of focus, um."""
    ends, values = zip(*KNOB_REGULARISATION, strict=True)
    return float(np.exp(np.interp(blur_um, ends, np.log(values)))) * min(1.0, (blur_um / SETTLED_UM) ** 2)


def wiener_filter(
    frequency: FloatArray, blurred: FloatArray, wanted: FloatArray, n: float, unknown: FloatArray | float = 0.0
) -> FloatArray:
    """Wiener's filter, 1 at frequency 0: ``(wanted blurred + r unknown) / (blurred^2 + r)``, ``r = n scarcity``.

    Parameters
    ----------
    frequency : float32 (F,)
        Cycles per um; the first is 0.
    blurred, wanted : float32 (3, F)
        Transfer of what was scanned, and of what is asked for.
    n : float
        Noise, and error of the model of blur, over the tissue's power at half a cycle per um.
    unknown : float32 (F,) or float
        Where the filter goes at frequencies that are not known; 0 takes them away.

    Returns
    -------
    float32 (3, F)
    """
    ratio = n * scarcity(frequency)
    found = (wanted * blurred + ratio * unknown) / (blurred**2 + ratio + FLOOR)
    return np.asarray(found / found[:, :1], dtype=np.float32)


def assumed_transfer(frequency: FloatArray, blur_um: float, residual_um: float, optics: Optics = SCANNER) -> FloatArray:
    """The filter from a distance from focus that is taken for granted to another one, um both: float32 (3, F).

    Nothing is changed where they are equal.

    Parameters
    ----------
    frequency : float32 (F,)
        Cycles per um; the first is 0.
    """
    wanted = either_side(frequency, residual_um, optics)
    if blur_um == residual_um:
        return np.ones_like(wanted)
    if blur_um == 0:
        return wanted
    n = knob_regularisation(blur_um) * min(abs(1 - residual_um / blur_um), 1.0)
    unknown = KEPT * fallback_blur(frequency, max(0.0, residual_um - blur_um), optics)
    return wiener_filter(frequency, either_side(frequency, blur_um, optics), wanted, n, unknown)


@dataclass(frozen=True)
class AssumedDistance:
    """All tissue of one plane at one distance; stands in for a :class:`focusviewer.refocus.fast.belief.Belief`."""

    depth_um: float  # on the axis of the planes
    shape: tuple[int, int]  # cells of the view

    def coefficients(self, z_um: float, target: FloatMap, bank: OperatorBank) -> FloatMap:
        """Mixing coefficients of the basis filters for a plane at ``z_um``: float32 (J, h, w)."""
        blur = abs(self.depth_um - z_um)
        residual = np.abs(target - np.float32(self.depth_um))
        first = float(residual.flat[0])
        if bool(np.all(residual == residual.flat[0])):
            mixing = _mixing(bank, blur, first)
            return np.ascontiguousarray(np.broadcast_to(mixing[:, None, None], (mixing.size, *self.shape)))
        total = np.zeros((bank.basis.shape[0], *self.shape), np.float32)
        for step in range(int(residual.min() / STEP_UM), int(np.ceil(float(residual.max()) / STEP_UM)) + 1):
            share = np.maximum(1 - np.abs(residual / STEP_UM - step), 0)
            total += _mixing(bank, blur, step * STEP_UM)[:, None, None] * share
        return total


def _mixing(bank: OperatorBank, blur_um: float, residual_um: float) -> FloatArray:
    """Coefficients of the basis for any two distances, um: float32 (J,)."""
    total = np.zeros(bank.basis.shape[0], np.float32)
    for blur, of_blur in _steps(blur_um):
        for residual, of_residual in _steps(residual_um):
            total += np.float32(of_blur * of_residual) * _fitted(bank.mpp, bank.optics, blur, residual)
    return total


def _steps(distance_um: float) -> list[tuple[int, float]]:
    """The steps around a distance, with their shares."""
    position = round(distance_um / STEP_UM, 4)
    below = int(position)
    return [(step, share) for step, share in ((below, below + 1 - position), (below + 1, position - below)) if share]


@lru_cache(maxsize=1024)
def _fitted(mpp: float, optics: Optics, blur: int, residual: int) -> FloatArray:
    """How the basis of a bank comes closest to a filter, where the blurred image has energy: float32 (J,)."""
    bank = operator_bank(mpp, optics)
    blurred = either_side(bank.frequency, blur * STEP_UM, optics)
    wanted = assumed_transfer(bank.frequency, blur * STEP_UM, residual * STEP_UM, optics) - 1
    weights = np.sqrt(importance_of(bank.frequency, blurred)).ravel()
    rows = bank.basis.reshape(bank.basis.shape[0], -1)
    found = np.linalg.lstsq((rows * weights).T, wanted.ravel() * weights, rcond=_CONDITION)[0]
    return np.asarray(found, dtype=np.float32)
