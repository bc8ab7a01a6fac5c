"""The bank of physical operators behind the fast engine: from one defocus to another, as sums of few filters.

A hypothesis says: the tissue here is ``b`` um out of focus and the image is this noisy. For each hypothesis and each
wanted residual defocus ``r`` there is one linear operator, built from the scanner's transfer functions,

    T(b -> r) = (H_r H_b + nsr g) / (H_b^2 + nsr)

with the noise-to-signal ratio ``nsr``. It is the regularised inverse of the blur followed by the wanted blur. Where the
lens passed nothing (H_b near 0) it tends to ``g``: 1 when sharpening, so that what cannot be restored is left as it
was scanned, and a Gaussian of the added defocus when blurring. ``T(b -> b)`` is exactly 1.

All operators are smooth functions of one radial frequency, so a few basis filters span them closely (mean error of the
transfer functions 0.02 to 0.03, whose values go up to 8): an image is filtered once by each, and any mixture of
operators, at any target, is a pixel-wise sum afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.optics.psf import Optics, radial_otf

FloatArray = npt.NDArray[np.float32]

BLUR_GRID_UM = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
NOISE_RATIOS = (0.005, 0.05)
RESIDUAL_STEP_UM = 0.25
MAX_RESIDUAL_UM = 8.0
RANK = 14
SCANNER = Optics(na=0.7)
_SAMPLES = 192


@dataclass(frozen=True)
class Hypothesis:
    """One guess about a place in the image: ``blur_um`` from focus, with noise-to-signal ratio ``noise_ratio``."""

    blur_um: float
    noise_ratio: float


HYPOTHESES: tuple[Hypothesis, ...] = (
    Hypothesis(0.0, NOISE_RATIOS[0]),
    *(Hypothesis(blur, ratio) for blur in BLUR_GRID_UM for ratio in NOISE_RATIOS),
)
"""The first one is "in focus": its operator to residual 0 leaves the image as it is."""


@dataclass(frozen=True)
class OperatorBank:
    """Basis filters and mixing coefficients for one pixel size.

    Attributes
    ----------
    frequency : float32 (F,)
        Radial frequencies, cycles per um, from 0 to the image's corner frequency.
    basis : float32 (J, 3, F)
        Radial transfer function of each basis filter and colour. The image itself (T = 1) is implied.
    coefficients : float32 (K, R, J)
        ``T(hypothesis k -> residual) = 1 + sum_j coefficients[k, r, j] basis[j]`` with the residual ``r`` in
        steps of RESIDUAL_STEP_UM.
    """

    mpp: float
    frequency: FloatArray
    basis: FloatArray
    coefficients: FloatArray

    def filters(self, shape: tuple[int, int]) -> FloatArray:
        """Basis filters for ``rfft2`` of an (H, W) image: float32 (J, 3, H, W // 2 + 1)."""
        from focusviewer.optics.psf import frequency_grid

        grid = frequency_grid(shape, self.mpp)
        position = np.clip(grid / self.frequency[-1] * (self.frequency.size - 1), 0, self.frequency.size - 1.001)
        below = position.astype(np.int32)
        weight = (position - below).astype(np.float32)
        return np.asarray(self.basis[..., below] * (1 - weight) + self.basis[..., below + 1] * weight, dtype=np.float32)

    def mix(self, hypothesis: int, residual_um: npt.NDArray[np.floating] | float) -> FloatArray:
        """Coefficients of a hypothesis at any residual (linear between steps): float32 (..., J)."""
        position = np.clip(
            np.asarray(residual_um, np.float32) / RESIDUAL_STEP_UM, 0, self.coefficients.shape[1] - 1.001
        )
        below = position.astype(np.int32)
        weight = (position - below)[..., None]
        table = self.coefficients[hypothesis]
        return np.asarray(table[below] * (1 - weight) + table[below + 1] * weight, dtype=np.float32)


def operator(
    frequency: FloatArray, blur_um: float, residual_um: float, noise_ratio: float, optics: Optics = SCANNER
) -> FloatArray:
    """Transfer function that takes tissue ``blur_um`` out of focus to ``residual_um`` out of focus.

    Parameters
    ----------
    frequency : float32 (F,)
        Cycles per um.

    Returns
    -------
    float32 (3, F), one row a colour.
    """
    blurred, wanted = _relative(frequency, blur_um, optics), _relative(frequency, residual_um, optics)
    excess = max(0.0, residual_um - blur_um)
    sigma = 0.4 * excess * optics.na / float(np.sqrt(1 - optics.na**2))
    fallback = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    return np.asarray((wanted * blurred + noise_ratio * fallback) / (blurred**2 + noise_ratio), dtype=np.float32)


def _relative(frequency: FloatArray, z_um: float, optics: Optics) -> FloatArray:
    rows = []
    for wavelength in optics.wavelengths_um:
        in_focus = np.maximum(radial_otf(frequency, 0.0, optics.na, wavelength), 0.05)
        rows.append(radial_otf(frequency, z_um, optics.na, wavelength) / in_focus)
    return np.clip(np.stack(rows), -1.0, 1.0)


@lru_cache(maxsize=8)
def operator_bank(mpp: float) -> OperatorBank:
    """The bank for a pixel size in um (cached): a weighted singular value decomposition of all operators."""
    frequency = np.linspace(0, np.sqrt(0.5) / mpp, _SAMPLES, dtype=np.float32)
    residuals = np.arange(0, MAX_RESIDUAL_UM + RESIDUAL_STEP_UM / 2, RESIDUAL_STEP_UM)
    rows = np.stack(
        [
            [operator(frequency, guess.blur_um, float(residual), guess.noise_ratio) - 1.0 for residual in residuals]
            for guess in HYPOTHESES
        ]
    )
    # Errors matter where tissue has energy: amplitude falls as 1/f, area grows as f.
    weight = np.sqrt(frequency + 0.02) / (frequency + 0.1)
    flat = (rows * weight).reshape(-1, 3 * _SAMPLES)
    _, _, directions = np.linalg.svd(flat, full_matrices=False)
    directions = directions[:RANK]
    coefficients = (flat @ directions.T).reshape(len(HYPOTHESES), residuals.size, RANK)
    for index, guess in enumerate(HYPOTHESES):  # T(b -> b) = 1 exactly, not nearly
        coefficients[index, round(guess.blur_um / RESIDUAL_STEP_UM)] = 0.0
    basis = (directions.reshape(RANK, 3, _SAMPLES) / weight).astype(np.float32)
    return OperatorBank(mpp, frequency, basis, coefficients.astype(np.float32))
