"""IW-SSIM: structural similarity weighted by the information content of each pixel."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d, uniform_filter, zoom

from focusviewer.core.arrays import DoubleArray
from focusviewer.metrics.similarity import RADIUS, SCALE_WEIGHTS, Image, similarity_maps, unit_pair

LUMA = np.array([0.299, 0.587, 0.114])
PEAK = 255.0
NOISE = 0.4
"""Variance of the observer's noise, in squared grey levels (Wang and Li 2011)."""

BLOCK = 3
_BINOMIAL = np.sqrt(2) * np.array([1, 4, 6, 4, 1]) / 16  # the gain of the pyramid that the constants belong to
_TINY = 1e-15


def iw_ssim(image: Image, reference: Image) -> float:
    """Information content weighted SSIM of the luminance (Wang and Li 2011, IEEE Trans. Image Processing 20(5)).

    SSIM's contrast-structure maps on a Laplacian pyramid of five scales, each pixel weighted by the mutual
    information between the scene, modelled as a Gaussian scale mixture over its 3x3 neighbours and its parent in
    the next scale, and the two images as a noisy observer sees them.

    Parameters
    ----------
    image, reference : (H, W, 3) or (H, W)
        The distorted image and the truth; they are not interchangeable.

    Raises
    ------
    ValueError
        If the smaller side is below 176 px.
    """
    first, second = (_luminance(item) for item in unit_pair(image, reference))
    if min(first.shape) < 176:
        raise ValueError(f"an image of {first.shape[1]} x {first.shape[0]} px is too small: 176 px are needed")
    distorted, truth = _laplacian_pyramid(first), _laplacian_pyramid(second)
    total = 1.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, structure = (part[..., 0] for part in _maps(truth[scale], distorted[scale]))
        if scale == len(SCALE_WEIGHTS) - 1:
            value = float((luminance * structure).mean())
        else:
            parent = truth[scale + 1] if scale + 1 < len(truth) - 1 else None
            content = _information(truth[scale], distorted[scale], parent)
            inner = RADIUS - BLOCK // 2
            content = content[inner:-inner, inner:-inner]
            told = float(content.sum())  # nothing at all on a flat image, where every place counts the same
            value = float((structure * content).sum() / told if told > _TINY else structure.mean())
        total *= max(value, 0.0) ** weight
    return total


def _luminance(image: DoubleArray) -> DoubleArray:
    gray = image @ LUMA if image.shape[2] == 3 else image.mean(axis=2)
    return np.asarray(gray * PEAK)


def _maps(truth: DoubleArray, distorted: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    return similarity_maps(truth[..., None], distorted[..., None], PEAK)


def _laplacian_pyramid(image: DoubleArray) -> list[DoubleArray]:
    """Four bands and the rest, finest first (Burt and Adelson 1983)."""
    bands, rest = [], image
    for _ in range(len(SCALE_WEIGHTS) - 1):
        low = _smooth(rest)[::2, ::2]
        raised = np.zeros_like(rest)
        raised[::2, ::2] = low
        bands.append(rest - _smooth(raised))
        rest = low
    return [*bands, rest]


def _smooth(image: DoubleArray) -> DoubleArray:
    down = correlate1d(image, _BINOMIAL, axis=0, mode="mirror")
    return np.asarray(correlate1d(down, _BINOMIAL, axis=1, mode="mirror"))


def _information(truth: DoubleArray, distorted: DoubleArray, parent: DoubleArray | None) -> DoubleArray:
    """Information content (bits) of each pixel that has all its neighbours: float64 (H - 2, W - 2)."""
    gain, residual = _distortion(truth, distorted)
    eigenvalues, energy = _scale_mixture(truth, parent)
    inner = (slice(BLOCK // 2, -(BLOCK // 2)),) * 2
    gain, residual = gain[inner], residual[inner]
    bits = np.zeros_like(energy)
    for value in eigenvalues:
        signal = (residual + (1 + gain**2) * NOISE) * energy * value
        bits += np.log2(1 + (signal + NOISE * residual) / NOISE**2)
    return np.where(bits < _TINY, 0.0, bits)


def _distortion(truth: DoubleArray, distorted: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """The local model ``distorted = gain * truth + residual``: its gain and the variance of the residual."""
    mean_t, mean_j = (uniform_filter(item, BLOCK, mode="constant") for item in (truth, distorted))
    cov = uniform_filter(truth * distorted, BLOCK, mode="constant") - mean_t * mean_j
    var_t = np.maximum(uniform_filter(truth**2, BLOCK, mode="constant") - mean_t**2, 0)
    var_j = np.maximum(uniform_filter(distorted**2, BLOCK, mode="constant") - mean_j**2, 0)
    flat_t, flat_j = var_t < _TINY, var_j < _TINY
    gain = np.where(flat_t | flat_j, 0.0, cov / (var_t + _TINY))
    residual = np.where(flat_t, var_j, np.where(flat_j, 0.0, var_j - gain * cov))
    return gain, np.maximum(residual, 0)


def _scale_mixture(truth: DoubleArray, parent: DoubleArray | None) -> tuple[DoubleArray, DoubleArray]:
    """Eigenvalues of the neighbourhoods' covariance, and each neighbourhood's energy in its own terms."""
    height, width = truth.shape
    rows, cols = height - BLOCK + 1, width - BLOCK + 1
    vectors = [truth[y : y + rows, x : x + cols] for y in range(BLOCK) for x in range(BLOCK)]
    if parent is not None:
        scale = (height / parent.shape[0], width / parent.shape[1])
        large = zoom(parent, scale, order=1, mode="nearest", grid_mode=False)
        vectors.append(large[1 : 1 + rows, 1 : 1 + cols])
    flat = np.stack([vector.ravel() for vector in vectors])
    values, directions = np.linalg.eigh(flat @ flat.T / flat.shape[1])
    kept = np.maximum(values, 0)
    kept *= values.sum() / max(float(kept.sum()), _TINY)
    kept = np.maximum(kept, 1e-9 * max(float(kept.max()), 1e-9))
    energy = ((directions.T @ flat) ** 2 / kept[:, None]).mean(axis=0)
    return kept, np.asarray(energy.reshape(rows, cols))
