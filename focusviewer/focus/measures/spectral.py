"""Measures made in a transform of the window: cosine, wavelet, Fourier.

Numbers in brackets are the equations of Wang 2024, chapter 2.1, that the definitions follow.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from focusviewer.focus.measures.base import FLOOR, WINDOW, Gray, Means, Measure, WindowMeasure

_BLOCK, _HIGHEST = 8, 6  # DCT block, and the largest u + v that is looked at (Kristan et al. 2006)

_D6 = (0.33267055295, 0.80689150931, 0.45987750212, -0.13501102001, -0.08544127388, 0.03522629188)
"""Scaling filter of Daubechies' wavelet with six taps."""

_SLOPE_FROM, _SLOPE_TO = 4 / WINDOW, 0.45  # cycles per pixel: coarser is the window itself, finer the camera's noise


@functools.cache
def dct_matrix(size: int) -> npt.NDArray[np.float32]:
    """Orthonormal DCT-II: float32 (size, size), rows are the basis."""
    k, x = np.mgrid[:size, :size]
    basis = np.cos(np.pi * (2 * x + 1) * k / (2 * size)) * np.sqrt(2 / size)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


def _bayes_entropy(windows: Gray) -> Means:
    """One less the sum of squares over the squared sum of low DCT coefficients, mean over 8x8 blocks [2.11].

    Kristan et al., *A Bayes-spectral-entropy-based measure of camera focus using a discrete cosine transform*, 2006.
    """
    count, side = len(windows), WINDOW // _BLOCK
    cut = windows[:, : side * _BLOCK, : side * _BLOCK].reshape(count, side, _BLOCK, side, _BLOCK)
    basis = dct_matrix(_BLOCK)
    spectrum = np.abs(basis @ cut.transpose(0, 1, 3, 2, 4) @ basis.T)
    u, v = np.mgrid[:_BLOCK, :_BLOCK]
    low = spectrum[..., u + v <= _HIGHEST]
    squares, total = np.square(low).sum(axis=-1), low.sum(axis=-1)
    entropy = np.where(total > 1e-6, 1 - squares / np.maximum(total, 1e-6) ** 2, 0)
    return np.asarray(entropy.mean(axis=(1, 2)), np.float64)


@functools.cache
def analysis(length: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Low and high pass of one wavelet step over a line mirrored at its ends: float32 (length // 2 up, length)."""
    rows = (length + 1) // 2
    low, high = np.zeros((rows, length)), np.zeros((rows, length))
    for row in range(rows):
        for tap, value in enumerate(_D6):
            at = 2 * row + tap - 2
            at = -1 - at if at < 0 else at
            at = 2 * length - 1 - at if at >= length else at
            low[row, at] += value
            high[row, at] += (-1) ** tap * _D6[len(_D6) - 1 - tap]
    return low.astype(np.float32), high.astype(np.float32)


def _wavelet(windows: Gray, levels: int) -> tuple[Gray, list[tuple[Gray, Gray, Gray]]]:
    """Approximation, and the details HL, LH, HH of each level, the finest first."""
    details = []
    for _ in range(levels):
        (low_y, high_y), (low_x, high_x) = analysis(windows.shape[1]), analysis(windows.shape[2])
        smooth, edges = windows @ low_x.T, windows @ high_x.T
        details.append((low_y @ edges, high_y @ smooth, high_y @ edges))
        windows = low_y @ smooth
    return windows, details


def _wavelet_mean(windows: Gray) -> Means:
    _, (finest,) = _wavelet(windows, 1)
    return np.asarray(sum(np.abs(band).mean(axis=(1, 2), dtype=np.float64) for band in finest))


def _wavelet_variance(windows: Gray) -> Means:
    _, (finest,) = _wavelet(windows, 1)
    return np.asarray(sum(np.abs(band).var(axis=(1, 2), dtype=np.float64) for band in finest))


def _wavelet_ratio(windows: Gray) -> Means:
    """Middle over low frequencies: one over the published ratio, which grows with blur [2.14]."""
    coarse, details = _wavelet(windows, 3)
    middle = sum(np.abs(band).sum(axis=(1, 2), dtype=np.float64) for level in details[1:] for band in level)
    return np.asarray(middle / np.maximum(np.abs(coarse).sum(axis=(1, 2), dtype=np.float64), FLOOR))


@functools.cache
def _rings() -> tuple[npt.NDArray[np.intp], Means, Means, Gray]:
    """Ring of each frequency of a window, the rings' sizes, the weights that give the slope, and the taper."""
    frequency = np.hypot(np.fft.fftfreq(WINDOW)[:, None], np.fft.rfftfreq(WINDOW)[None])
    ring = np.rint(frequency * WINDOW).astype(np.intp).ravel()
    sizes = np.bincount(ring).astype(float)
    at = np.arange(len(sizes)) / WINDOW
    used = (at >= _SLOPE_FROM) & (at <= _SLOPE_TO)
    position = np.where(used, np.log(np.maximum(at, 1 / WINDOW)), 0)
    weight = used / np.maximum(at, 1 / WINDOW)  # rings get denser on the logarithmic axis
    centred = np.where(used, position - (weight * position).sum() / weight.sum(), 0)
    slope = weight * centred / (weight * centred**2).sum()
    taper = np.hanning(WINDOW + 2)[1:-1]
    return ring, sizes, slope, np.asarray(np.outer(taper, taper), np.float32)


def _spectrum_slope(windows: Gray) -> Means:
    """``exp(slope)`` of the ring-averaged power spectrum on logarithmic axes; natural sharpness is about -2."""
    ring, sizes, slope, taper = _rings()
    result = np.empty(len(windows))
    for index, window in enumerate(windows):
        power = np.abs(np.fft.rfft2((window - window.mean()) * taper)) ** 2
        averages = np.bincount(ring, power.ravel()) / sizes
        result[index] = slope @ np.log(averages + 1e-9)
    return np.exp(result)


SPECTRAL_MEASURES: tuple[Measure, ...] = (
    WindowMeasure("dct-bayes-entropy", "Bayes entropy of low DCT coefficients of 8x8 blocks [2.11]", _bayes_entropy),
    WindowMeasure("wavelet-mean", "mean of the finest wavelet details, Daubechies 6 [2.12]", _wavelet_mean),
    WindowMeasure("wavelet-variance", "variance of the finest wavelet details, Daubechies 6 [2.13]", _wavelet_variance),
    WindowMeasure("wavelet-ratio", "middle over low wavelet frequencies, Daubechies 6 [2.14]", _wavelet_ratio),
    WindowMeasure("power-spectrum-slope", "fall of the power spectrum with frequency", _spectrum_slope),
)
"""A new one is a line here."""
