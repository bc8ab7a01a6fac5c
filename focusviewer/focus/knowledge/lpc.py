"""LPC-SI: whether the phases of neighbouring scales agree, as they do at sharp edges."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import ComplexArray
from focusviewer.focus.knowledge.base import KnowledgeModel, windows
from focusviewer.focus.measures.base import WINDOW, Gray

_ORIENTATIONS = 8
_WAVELENGTHS = (4.0, 6.0, 8.0)  # px: scales 1, 3/2 and 2
_BANDWIDTH = 0.75  # of the logarithmic Gaussian, as a ratio to its centre
_CONSTANT = 2.0  # steadies the mean over orientations, in gray levels
_DECAY = 1e-4  # share of the window's pixels over which the weight of the ranks falls by e
_RANKS = 20  # falls that are summed; what comes after weighs nothing
_REACH = 20
_DESIGN = 256
_SMALL, _LARGE = 288, 512  # sides of the tiles that are transformed, px


class LocalPhaseCoherence(KnowledgeModel):
    """The local phase coherence sharpness index of Hassen, Wang and Salama (IEEE TIP 2013).

    At a sharp edge the phases of complex wavelet coefficients at three scales follow each other, so that with the
    scales 1, 3/2 and 2 ``phi_1 - 3 phi_2 + 2 phi_3`` is zero; blur breaks this. For each of eight orientations the
    cosine of that sum is taken where it is positive, the orientations are averaged with the weights
    ``max(0, |c_1| - mean - 2 std)``, and the pixels of the resulting map are averaged by rank, the highest by far the
    most: weights ``exp(-rank / (N - 1) / 1e-4)``.

    The filters are log-Gabor functions under a low pass. As published they are laid over the spectrum of the whole
    image; here they are cut to 41 x 41 taps, so that a window needs no more than 20 pixels around it, and mean and
    deviation are those of the window. The phase is computed only where the weight is not zero, about 4 % of the
    pixels. The score is ``1 - SI``.
    """

    name = "lpc"
    halo_px = _REACH

    def band_scores(self, gray: Gray, rows: int, cols: int) -> npt.NDArray[np.floating]:
        """Blur of some rows of windows; see :meth:`KnowledgeModel.band_scores`."""
        sums = np.zeros((2, rows, cols, WINDOW, WINDOW), np.float32)
        for scales in _responses(gray * np.float32(255)):
            strength = np.abs(scales[0])
            for place, pixels in windows(rows, cols):
                _add(sums[0][place], sums[1][place], strength[pixels], scales[:, pixels[0], pixels[1]])
        coherence = (sums[0] / (sums[1] + _CONSTANT)).reshape(rows, cols, -1)
        decay = (coherence.shape[-1] - 1) * _DECAY
        count = int(_RANKS * decay)
        ranked = np.sort(np.partition(coherence, -count, axis=-1)[..., -count:], axis=-1)[..., ::-1]
        weights = np.exp(-np.arange(count) / decay)
        return np.asarray(1 - ranked @ weights / weights.sum())


def _responses(gray: Gray) -> Iterator[ComplexArray]:
    """The image through the three filters of each orientation, without its halo: complex64 (3, H, W) each.

    In tiles of one size, so that the filters' transfer functions are computed once.
    """
    from scipy import fft

    side = _SMALL if max(gray.shape) <= _SMALL else _LARGE
    valid = side - 2 * _REACH
    height, width = (length - 2 * _REACH for length in gray.shape)
    corners = [(y, x) for y in range(0, height, valid) for x in range(0, width, valid)]
    spectra = [fft.fft2(gray[y : y + side, x : x + side], s=(side, side)) for y, x in corners]
    for filters in _filters(side):
        result = np.empty((len(_WAVELENGTHS), height, width), np.complex64)
        for (y, x), spectrum in zip(corners, spectra, strict=True):
            part = result[:, y : y + valid, x : x + valid]
            # Circular: what wraps around falls on the halo, nowhere else.
            tile = fft.ifft2(spectrum * filters, overwrite_x=True)
            part[:] = tile[:, _REACH : _REACH + part.shape[1], _REACH : _REACH + part.shape[2]]
        yield result


def _add(coherence: Gray, weight: Gray, strength: Gray, scales: ComplexArray) -> None:
    """Add one orientation's share to a window's sums."""
    excess = strength - (strength.mean() + 2 * strength.std(ddof=1))
    strong = excess > 0
    first, second, third = (part / np.maximum(np.abs(part), np.float32(1e-12)) for part in scales[:, strong])
    agreement = (first * second.conj() ** 3 * third**2).real
    energy = excess[strong]
    coherence[strong] += np.maximum(agreement, 0) * energy
    weight[strong] += energy


@functools.cache
def _kernels() -> ComplexArray:
    """The filters' taps: complex64 (orientations, scales, 2 * _REACH + 1, 2 * _REACH + 1)."""
    y, x = np.fft.fftfreq(_DESIGN)[:, None], np.fft.fftfreq(_DESIGN)[None]
    radius = np.hypot(y, x)
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1
    angle = np.arctan2(-y, x)
    spread = np.pi / _ORIENTATIONS / 1.5
    kernels = np.empty((_ORIENTATIONS, len(_WAVELENGTHS), 2 * _REACH + 1, 2 * _REACH + 1), np.complex64)
    for turn in range(_ORIENTATIONS):
        away = np.angle(np.exp(1j * (angle - turn * np.pi / _ORIENTATIONS)))
        fan = np.exp(-(away**2) / (2 * spread**2))
        for scale, wavelength in enumerate(_WAVELENGTHS):
            ring = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(_BANDWIDTH) ** 2))
            ring[0, 0] = 0
            taps = np.fft.fftshift(np.fft.ifft2(ring * fan * low_pass))
            middle = slice(_DESIGN // 2 - _REACH, _DESIGN // 2 + _REACH + 1)
            cut = taps[middle, middle]
            kernels[turn, scale] = cut - cut.mean()  # the cut must not let the mean through
    return kernels


@functools.cache
def _filters(side: int) -> list[ComplexArray]:
    """Transfer functions for square tiles: for each orientation complex64 (scales, side, side)."""
    from scipy import fft

    placed = np.zeros((len(_WAVELENGTHS), side, side), np.complex64)
    result = []
    for taps in _kernels():
        placed[:, : 2 * _REACH + 1, : 2 * _REACH + 1] = taps
        result.append(fft.fft2(np.roll(placed, (-_REACH, -_REACH), axis=(1, 2))))
    return result
