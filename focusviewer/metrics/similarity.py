"""How alike two images are, pixel by pixel and window by window: PSNR, SSIM and MS-SSIM.

Images are uint8, or float in 0..1; (H, W) or (H, W, C). Colour channels are compared one by one and averaged.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from focusviewer.core.arrays import DoubleArray

Image = npt.NDArray[np.uint8] | npt.NDArray[np.floating]

K1, K2 = 0.01, 0.03
RADIUS = 5
SIGMA = 1.5
_taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
WINDOW = _taps / _taps.sum()
"""The window of Wang et al. 2004: a Gaussian of 1.5 px over 11 px."""

MOST_DB = float(10 * np.log10(255.0**2 / 1e-10))

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales (Wang, Simoncelli and Bovik 2003, fitted to human judgements)."""


def unit_pair(image: Image, reference: Image) -> tuple[DoubleArray, DoubleArray]:
    """Both images as float64 (H, W, C) in 0..1.

    Raises
    ------
    ValueError
        If they differ in shape.
    """
    if image.shape != reference.shape:
        raise ValueError(f"images of {image.shape} and {reference.shape} cannot be compared")
    if image.ndim not in (2, 3):
        raise ValueError("an image has two or three axes")
    first, second = (_unit(item) for item in (image, reference))
    return (first[..., None], second[..., None]) if image.ndim == 2 else (first, second)


def _unit(image: Image) -> DoubleArray:
    scale = 255.0 if image.dtype == np.uint8 else 1.0
    return np.asarray(image, np.float64) / scale


def psnr(image: Image, reference: Image) -> float:
    """Peak signal-to-noise ratio in dB; equal images give 148 dB, that of a mean squared error of 1e-10 gray levels."""
    from skimage.metrics import peak_signal_noise_ratio

    first, second = unit_pair(image, reference)
    with np.errstate(divide="ignore"):  # equal images: infinite, which no table and no mean can hold
        decibel = peak_signal_noise_ratio(second, first, data_range=1.0)  # type: ignore[no-untyped-call]
    return min(float(decibel), MOST_DB)


def ssim(image: Image, reference: Image) -> float:
    """Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004), full windows only, at the images' own scale.

    Raises
    ------
    ValueError
        If the images are smaller than the window of 11 px.
    """
    return float(ssim_map(image, reference).mean())


def ssim_map(image: Image, reference: Image) -> DoubleArray:
    """Structural similarity at every full window: float64 (H - 10, W - 10, C).

    Raises
    ------
    ValueError
        If the images are smaller than the window of 11 px.
    """
    from skimage.metrics import structural_similarity

    first, second = unit_pair(image, reference)
    _check_size(first, 2 * RADIUS + 1)
    # The settings under which scikit-image computes what the paper defines.
    paper = {"gaussian_weights": True, "sigma": SIGMA, "use_sample_covariance": False, "K1": K1, "K2": K2}
    _, values = structural_similarity(  # type: ignore[no-untyped-call]
        first, second, data_range=1.0, channel_axis=-1, full=True, **paper
    )
    return np.asarray(values[RADIUS:-RADIUS, RADIUS:-RADIUS])


def ms_ssim(image: Image, reference: Image) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003): five scales, each half the one before.

    Contrast and structure count at every scale, luminance at the coarsest; a scale that is anticorrelated counts
    as 0.

    Raises
    ------
    ValueError
        If the smaller side is below 176 px, where the coarsest scale has no full window.
    """
    first, second = unit_pair(image, reference)
    _check_size(first, (2 * RADIUS + 1) * 2 ** (len(SCALE_WEIGHTS) - 1))
    total = np.ones(first.shape[2])
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            first, second = _halved(first), _halved(second)
        luminance, structure = similarity_maps(first, second)
        values = structure if scale < len(SCALE_WEIGHTS) - 1 else luminance * structure
        total *= np.maximum(values.mean(axis=(0, 1)), 0.0) ** weight
    return float(total.mean())


def similarity_maps(first: DoubleArray, second: DoubleArray, peak: float = 1.0) -> tuple[DoubleArray, DoubleArray]:
    """Luminance term and contrast-structure term of SSIM at every full window: float64 (H - 10, W - 10, C).

    MS-SSIM and IW-SSIM need the terms apart; scikit-image gives only their product (:func:`ssim_map`).
    """
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    mean_a, mean_b = windowed(first), windowed(second)
    var_a = np.maximum(windowed(first * first) - mean_a**2, 0)
    var_b = np.maximum(windowed(second * second) - mean_b**2, 0)
    covariance = windowed(first * second) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance, (2 * covariance + c2) / (var_a + var_b + c2)


def windowed(values: DoubleArray) -> DoubleArray:
    """Gaussian-weighted mean over every full window."""
    smooth = correlate1d(correlate1d(values, WINDOW, axis=0), WINDOW, axis=1)
    return np.asarray(smooth[RADIUS:-RADIUS, RADIUS:-RADIUS])


def _halved(image: DoubleArray) -> DoubleArray:
    height, width = (side // 2 * 2 for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _check_size(image: DoubleArray, needed: int) -> None:
    if min(image.shape[:2]) < needed:
        raise ValueError(f"an image of {image.shape[1]} x {image.shape[0]} px is too small: {needed} px are needed")
