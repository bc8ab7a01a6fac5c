"""The bank of physical operators behind the fast engine: from one defocus to another, as sums of few filters.

A hypothesis says: the tissue here is ``b`` um out of focus and the image is this noisy. For each hypothesis and each
wanted residual defocus ``r`` there is one linear operator, built from the scanner's transfer functions,

    T(b -> r) = (H_r H_b + nsr g) / (H_b^2 + nsr)

It is the regularised inverse of the blur followed by the wanted blur. The noise-to-signal ratio rises with frequency,
because tissue has little detail where it is fine, ``nsr(f) = noise_ratio (q(f) + 0.7)`` with q from the mean spectrum
of sharp sections; the constant stands for what the model of the blur does not know. Where the lens passed nothing (H_b
near 0) T tends to ``g``: 1 when sharpening, so that what cannot be restored is left as it was scanned, and a Gaussian
of the added defocus when blurring. ``T(b -> b)`` is exactly 1.

Distances are a quarter of a micron apart because the zeros of H_b must be met: with the operator of a neighbouring
half micron, 3 dB are lost at 4 um. The same steps stand in for other apertures, which widen the blur as distance does.

All operators are smooth functions of one radial frequency, so a few basis filters span them closely: an image is
filtered once by each, and any mixture of operators, at any target, is a pixel-wise sum afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.psf import Optics, channel_otf
from focusviewer.refocus.fast.parallel import each
from focusviewer.simulation.fitting.transfer import weak_object

BLUR_GRID_UM = tuple(0.25 * step for step in range(2, 20))
NOISE_RATIOS = (3e-4, 3e-3, 2e-2)
RESIDUAL_STEP_UM = 0.25
MAX_RESIDUAL_UM = 8.0
RANK = 20
SCANNER = Optics(na=0.7)
_SAMPLES = 192
MODEL_ERROR = 0.7
CAMERA_NOISE = 1e-3  # relative to the mean spectrum at half a cycle per um
_AT_FOCUS = 9.0  # operators to best focus are asked for most
_TURNS = 4


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis about a place in the image: ``blur_um`` from focus, with noise-to-signal ratio ``noise_ratio``."""

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
    seen : float32 (K, J)
        The standard lens's operators to focus, through this basis: what the selector was trained to look at.
    optics : Optics
        The lens.
    """

    mpp: float
    frequency: FloatArray
    basis: FloatArray
    coefficients: FloatArray
    seen: FloatArray
    optics: Optics = SCANNER

    def filters(self, shape: tuple[int, int]) -> FloatArray:
        """Basis filters for ``rfft2`` of an (H, W) image: float32 (J, 3, H // 2 + 1, W // 2 + 1).

        The remaining rows are those of the negative frequencies, and mirror these.
        """
        from focusviewer.optics.psf import frequency_grid

        grid = frequency_grid(shape, self.mpp)[: shape[0] // 2 + 1]
        position = np.clip(grid / self.frequency[-1] * (self.frequency.size - 1), 0, self.frequency.size - 1.001)
        below = position.astype(np.int32)
        weight = (position - below).astype(np.float32)
        found = np.empty((*self.basis.shape[:2], *grid.shape), np.float32)
        for radial, filters in zip(self.basis, found, strict=True):  # all at once would take four times the memory
            filters[:] = radial[:, below] * (1 - weight) + radial[:, below + 1] * weight
        return found

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
    blurred, wanted = either_side(frequency, blur_um, optics), either_side(frequency, residual_um, optics)
    return _between(frequency, blurred, wanted, max(0.0, residual_um - blur_um), noise_ratio, optics)


def _between(
    frequency: FloatArray, blurred: FloatArray, wanted: FloatArray, excess_um: float, noise_ratio: float, optics: Optics
) -> FloatArray:
    fallback = fallback_blur(frequency, excess_um, optics)
    ratio = noise_ratio * (scarcity(frequency) + MODEL_ERROR)
    return np.asarray((wanted * blurred + ratio * fallback) / (blurred**2 + ratio), dtype=np.float32)


def fallback_blur(
    frequency: FloatArray, excess_um: float | npt.NDArray[np.floating], optics: Optics
) -> npt.NDArray[np.floating]:
    """Transfer of a Gaussian as wide as the light cone of some more defocus: what blurs where no operator is known."""
    sigma = 0.4 * excess_um * optics.na / float(np.sqrt(1 - optics.na**2))
    return np.asarray(np.exp(-2 * (np.pi * sigma * frequency) ** 2))


def scarcity(frequency: FloatArray) -> FloatArray:
    """Inverse power spectrum of sharp sections, 1 at half a cycle per um (measured on the training pictures)."""
    rise = (np.maximum(frequency, 0.08) / 0.5) ** 2.5 * (1 + (frequency / 0.8) ** 2)
    return np.asarray(rise / (1 + (0.5 / 0.8) ** 2), dtype=np.float32)


def relative_transfer(frequency: FloatArray, z_um: float, optics: Optics) -> FloatArray:
    """Transfer function of each colour relative to the lens in focus, -1..1: float32 (3, F).

    In focus is where green is; with axial colour, red and blue are relative to what they are there. All that the optics
    state counts: condenser, refraction, aberrations.
    """
    rows = []
    for channel in range(3):
        in_focus = np.maximum(_colour(frequency, 0.0, optics, channel), 0.05)
        rows.append(_colour(frequency, z_um, optics, channel) / in_focus)
    return np.clip(np.stack(rows), -1.0, 1.0)


def lens_transfer(frequency: FloatArray, z_um: float, optics: Optics = SCANNER) -> FloatArray:
    """:func:`relative_transfer`, kept for distances to 0.001 um: not to be written to."""
    return _kept_transfer(np.asarray(frequency, np.float32).tobytes(), round(float(z_um), 3), optics)


@lru_cache(maxsize=512)
def _kept_transfer(frequency: bytes, z_um: float, optics: Optics) -> FloatArray:
    return relative_transfer(np.frombuffer(frequency, np.float32), z_um, optics)


def _colour(frequency: FloatArray, z_um: float, optics: Optics, channel: int) -> FloatArray:
    """Transfer function of one colour; in partly coherent light by a rule that is fast enough for a whole bank."""
    if optics.mount is not None or (optics.condenser >= 1 and not optics.refraction):
        return channel_otf(frequency, z_um, optics, channel)
    lens = weak_object(optics.na, optics.refractive_index, min(optics.condenser, 1.0))
    away = z_um - optics.chromatic_shift_um[channel]
    wavelength = optics.wavelengths_um[channel]
    found = lens.at(np.asarray(frequency, np.float64), away, wavelength, optics.refraction, optics.spherical_waves)
    return np.asarray(found, dtype=np.float32)


def is_even(optics: Optics) -> bool:
    """Whether a lens shows the same on both sides of focus, in all colours."""
    return optics.symmetric and not any(optics.chromatic_shift_um)


def either_side(frequency: FloatArray, z_um: float, optics: Optics) -> FloatArray:
    """Relative transfer for tissue whose side of focus is not known, the mean of both: float32 (3, F)."""
    if is_even(optics):
        return lens_transfer(frequency, z_um, optics)
    both = lens_transfer(frequency, z_um, optics) + lens_transfer(frequency, -z_um, optics)
    return np.asarray(both / 2, dtype=np.float32)


def equal_blur_um(z_um: npt.NDArray[np.floating], optics: Optics) -> FloatArray:
    """Distances at which a lens blurs as the standard lens does at others: float32, shape of ``z_um``.

    What reads distances from pixels (the selector, focus models with their shipped curves) knows the standard lens.
    Equal is what differs least, where errors count by the energy of sharp sections.
    """
    if optics == SCANNER:
        return np.asarray(z_um, dtype=np.float32)
    places, found = _equal_blurs(optics)
    return np.asarray(np.interp(np.abs(z_um), places, found), dtype=np.float32)


@lru_cache(maxsize=8)
def _equal_blurs(optics: Optics) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A table of distances for the standard lens and for another one."""
    frequency = np.linspace(0.02, 1.5, 96, dtype=np.float32)
    energy = frequency / scarcity(frequency)
    places = np.arange(0.0, BLUR_GRID_UM[-1] + 0.3, 0.25)
    tries = np.concatenate([np.arange(0.0, 2.0, 0.1), np.geomspace(2.0, 12.0, 30)])
    theirs = np.stack([either_side(frequency, float(z), optics) for z in tries])
    found = []
    for place in places:
        differs = np.square(theirs - relative_transfer(frequency, float(place), SCANNER)) @ energy
        found.append(float(tries[int(np.argmin(differs.sum(axis=1)))]))
    found[0] = 0.0
    return places, np.maximum.accumulate(found)


def operator_bank(mpp: float, optics: Optics = SCANNER) -> OperatorBank:
    """The bank for a pixel size in um and a lens (cached).

    Basis and coefficients are the weighted least-squares factors of all operators; errors count where the blurred
    image has energy, so every operator has weights of its own and the factors are found in turns. A lens that shows
    different things on both sides of focus has the mean of both, as one plane does not tell the side.
    """
    return _bank(mpp, optics)


@lru_cache(maxsize=8)
def _bank(mpp: float, optics: Optics) -> OperatorBank:
    frequency = np.linspace(0, np.sqrt(0.5) / mpp, _SAMPLES, dtype=np.float32)  # lens_transfer keeps what it finds
    steps = np.arange(0, MAX_RESIDUAL_UM + RESIDUAL_STEP_UM / 2, RESIDUAL_STEP_UM)
    relative: dict[float, FloatArray] = {}

    def transfer(z_um: float) -> None:
        relative[round(z_um, 3)] = either_side(frequency, z_um, optics)

    each(transfer, sorted({float(z) for z in (*steps, *BLUR_GRID_UM)}))
    rows, weights = [], []
    for guess in HYPOTHESES:
        blurred = relative[guess.blur_um]
        importance = importance_of(frequency, blurred, guess.noise_ratio)
        for residual in steps:
            excess, wanted = max(0.0, float(residual) - guess.blur_um), relative[round(float(residual), 3)]
            rows.append(_between(frequency, blurred, wanted, excess, guess.noise_ratio, optics).ravel() - 1.0)
            weights.append((_AT_FOCUS if residual == 0 else 1.0) * importance.ravel())
    basis, flat = _factors(np.array(rows, np.float32), np.array(weights, np.float32))
    coefficients = flat.reshape(len(HYPOTHESES), steps.size, RANK)
    for index, guess in enumerate(HYPOTHESES):  # T(b -> b) = 1 exactly, not nearly
        coefficients[index, round(guess.blur_um / RESIDUAL_STEP_UM)] = 0.0
    filters = basis.reshape(RANK, 3, _SAMPLES)
    seen = coefficients[:, 0] if optics == SCANNER else _standard_through(basis, frequency)
    return OperatorBank(mpp, frequency, filters, coefficients, seen, optics)


def importance_of(frequency: FloatArray, blurred: FloatArray, noise_ratio: float = 0.0) -> FloatArray:
    """How much an error of an operator counts: the energy of the blurred image with its noise, float32 (3, F)."""
    ratio = noise_ratio * (scarcity(frequency) + MODEL_ERROR)
    return np.asarray((frequency + 0.01) * ((blurred**2 + ratio) / scarcity(frequency) + CAMERA_NOISE), np.float32)


def _standard_through(basis: FloatArray, frequency: FloatArray) -> FloatArray:
    """Coefficients (K, J) on a basis (J, 3 F) that come closest to the standard lens's operators to focus."""
    rows, weights = [], []
    for guess in HYPOTHESES:
        rows.append(operator(frequency, guess.blur_um, 0.0, guess.noise_ratio).ravel() - 1.0)
        blurred = lens_transfer(frequency, guess.blur_um)
        weights.append(importance_of(frequency, blurred, guess.noise_ratio).ravel())
    weighted = np.array(weights, np.float32)
    products = (basis[:, None] * basis).reshape(RANK * RANK, -1)
    sides = (weighted * np.array(rows, np.float32)) @ basis.T
    return _solved((weighted @ products.T).reshape(-1, RANK, RANK), sides)


def _factors(rows: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Basis (J, F) and coefficients (N, J) that come closest to the rows (N, F) under weights of the same shape."""
    common = np.sqrt(weights.mean(axis=0))
    directions = np.linalg.svd(rows[::3] * common, full_matrices=False)[2][:RANK]
    basis = directions / common
    weighted = weights * rows
    for _ in range(_TURNS):
        products = (basis[:, None] * basis).reshape(RANK * RANK, -1)
        coefficients = _solved((weights @ products.T).reshape(-1, RANK, RANK), weighted @ basis.T)
        products = (coefficients[:, :, None] * coefficients[:, None]).reshape(-1, RANK * RANK)
        basis = _solved((weights.T @ products).reshape(-1, RANK, RANK), weighted.T @ coefficients).T
    products = (basis[:, None] * basis).reshape(RANK * RANK, -1)
    coefficients = _solved((weights @ products.T).reshape(-1, RANK, RANK), weighted @ basis.T)
    return np.ascontiguousarray(basis, dtype=np.float32), coefficients


def _solved(matrices: npt.NDArray[np.floating], sides: npt.NDArray[np.floating]) -> FloatArray:
    """Solve many small symmetric systems, a little regularised: (N, J, J), (N, J) to float32 (N, J)."""
    ridge = 1e-6 * np.trace(matrices, axis1=1, axis2=2) / RANK
    full = matrices.astype(np.float64) + ridge[:, None, None] * np.eye(RANK)
    return np.asarray(np.linalg.solve(full, sides[..., None].astype(np.float64))[..., 0], dtype=np.float32)
