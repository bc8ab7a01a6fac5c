"""GPC: how much rougher an image gets when its phases are lost."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from focusviewer.focus.knowledge.base import KnowledgeModel, windows
from focusviewer.focus.measures.base import WINDOW, Gray

_FLAT = 1e-5  # gradient energy below which a window is as good as empty


class GlobalPhaseCoherence(KnowledgeModel):
    """Global phase coherence in its closed form, the sharpness index.

    Blanchet, Moisan and Rougé (ICIP 2008) ask how likely it is that an image with the same Fourier moduli but random
    phases has as little total variation as the image itself; phases decide where edges are, so that in a sharp image
    this is next to impossible. Leclaire and Moisan (*No-reference image quality assessment and blind deblurring with
    sharpness metrics exploiting Fourier phase information*, J. Math. Imaging Vis. 2015) convolve the image with
    white noise instead, for which the mean and the variance of the total variation are known:

        mu    = (a_x + a_y) sqrt(2 / pi) sqrt(M N),     a = root of the sum of the squared differences
        var   = 2 / pi sum_k [a_x^2 w(G_xx / a_x^2) + 2 a_x a_y w(G_xy / (a_x a_y)) + a_y^2 w(G_yy / a_y^2)]
        SI    = -log10 Phi((mu - TV) / sigma),          w(t) = t arcsin t + sqrt(1 - t^2) - 1,

    G being the correlations of the differences and Phi the tail of the normal distribution. As they advise, the index
    is taken of the periodic component of the window (its edges do not meet their opposite ones) after a shift by half
    a pixel (which undoes quantisation). The score is ``-log(1 + SI)``.
    """

    name = "gpc"
    halo_px = 0

    def band_scores(self, gray: Gray, rows: int, cols: int) -> npt.NDArray[np.floating]:
        """Blur of some rows of windows; see :meth:`KnowledgeModel.band_scores`."""
        scores = np.empty((rows, cols))
        for place, pixels in windows(rows, cols):
            scores[place] = -np.log1p(sharpness_index(gray[pixels] * 255))
        return scores


def sharpness_index(window: Gray) -> float:
    """SI of a window of WINDOW px squared, gray levels 0..255; larger is sharper, 0 where there is nothing."""
    from scipy.fft import irfft2
    from scipy.special import log_ndtr

    spectrum = _periodic_spectrum(window) * _half_pixel()
    image = irfft2(spectrum, s=window.shape)
    across, down = np.roll(image, -1, 1) - image, np.roll(image, -1, 0) - image
    a_x, a_y = float(np.sqrt(np.square(across).sum())), float(np.sqrt(np.square(down).sum()))
    if min(a_x, a_y) < _FLAT * WINDOW:
        return 0.0
    shift_x, shift_y = _steps()
    power = np.square(np.abs(spectrum))
    total = 0.0
    for first, second, times in ((shift_x, shift_x, 1), (shift_x, shift_y, 2), (shift_y, shift_y, 1)):
        scale = (a_x if first is shift_x else a_y) * (a_x if second is shift_x else a_y)
        correlation = irfft2(power * first * second.conj(), s=window.shape)
        total += times * scale * float(_omega(correlation / scale).sum())
    mean = (a_x + a_y) * np.sqrt(2 / np.pi) * WINDOW
    variation = float(np.abs(across).sum() + np.abs(down).sum())
    deviation = np.sqrt(max(2 / np.pi * total, 1e-12))
    return float(-log_ndtr(-(mean - variation) / deviation) / np.log(10))


def _omega(t: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    t = np.clip(t, -1, 1)
    return np.asarray(t * np.arcsin(t) + np.sqrt(1 - t * t) - 1)


@functools.cache
def _frequencies() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    y, x = np.fft.fftfreq(WINDOW)[:, None], np.fft.rfftfreq(WINDOW)[None]
    return np.asarray(2 * np.pi * y, np.float64), np.asarray(2 * np.pi * x, np.float64)


@functools.cache
def _steps() -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]]:
    """Transfer functions of the differences to the right and lower neighbour."""
    y, x = _frequencies()
    return (np.exp(1j * x) - 1).astype(np.complex64), (np.exp(1j * y) - 1).astype(np.complex64)


@functools.cache
def _half_pixel() -> npt.NDArray[np.complex64]:
    y, x = _frequencies()
    return np.asarray(np.exp(-0.5j * (x + y)), np.complex64)


@functools.cache
def _smoothness() -> npt.NDArray[np.float32]:
    """Inverse of the discrete Laplacian, as the decomposition into periodic and smooth parts needs it."""
    y, x = _frequencies()
    laplacian = 2 * np.cos(x) + 2 * np.cos(y) - 4
    laplacian[0, 0] = 1
    inverse = 1 / laplacian
    inverse[0, 0] = 0
    return np.asarray(inverse, np.float32)


def _periodic_spectrum(window: Gray) -> npt.NDArray[np.complex64]:
    """Spectrum of the window less the smooth image that carries the jumps between its opposite edges (Moisan 2011)."""
    from scipy.fft import rfft2

    jumps = np.zeros_like(window)
    vertical, horizontal = window[-1] - window[0], window[:, -1] - window[:, 0]
    jumps[0] += vertical
    jumps[-1] -= vertical
    jumps[:, 0] += horizontal
    jumps[:, -1] -= horizontal
    both = rfft2(np.stack([window, jumps]))
    return np.asarray(both[0] - both[1] * _smoothness())
