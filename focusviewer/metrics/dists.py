"""The form of DISTS: similarity of feature maps by their means and their covariance, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from focusviewer.core.arrays import DoubleArray
from focusviewer.metrics.similarity import Image, unit_pair

FeatureExtractor = Callable[[DoubleArray], Sequence[DoubleArray]]
"""From an image, float64 (H, W, C) in 0..1, to feature maps (h, w, c), one for each layer after the pixels."""

C1 = C2 = 1e-6
SCALES = 3
SIGMA_PX = 1.0


def dists_form(
    image: Image,
    reference: Image,
    features: FeatureExtractor | None = None,
    weights: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]] | None = None,
) -> float:
    """Distance in the form of DISTS (Ding et al. 2020; WSI-DISTS: Wang 2024, eq. 5.6 to 5.9).

    ``D = 1 - sum over layers and channels of alpha l(x, y) + beta s(x, y)`` with the luminance term
    ``l = (2 mu_x mu_y + c1) / (mu_x^2 + mu_y^2 + c1)`` and the structure term
    ``s = (2 cov + c2) / (var_x + var_y + c2)``, both over whole feature maps; layer 0 is the pixels, and all alpha
    and beta together make 1.

    Parameters
    ----------
    image, reference : (H, W, C) or (H, W)
        uint8, or float in 0..1. The distance is symmetric.
    features : callable, optional
        A feature extractor. **Without one this is not the published metric**: :func:`derivative_pyramid` stands in
        for the trained network, so figures compare with each other, not with published DISTS.
    weights : sequence of (alpha, beta), optional
        For each layer, arrays (c,); equal weights, halved between both terms and shared by layers, when missing.

    Returns
    -------
    0 for equal images, growing with their distance.
    """
    extract = features or derivative_pyramid
    first, second = ([item, *extract(item)] for item in unit_pair(image, reference))
    terms = [_terms(a, b) for a, b in zip(first, second, strict=True)]
    if weights is None:
        return float(1 - np.mean([(luminance.mean() + structure.mean()) / 2 for luminance, structure in terms]))
    shares = [(np.asarray(alpha, np.float64), np.asarray(beta, np.float64)) for alpha, beta in weights]
    total = sum(float(alpha.sum() + beta.sum()) for alpha, beta in shares)
    likeness = sum(
        float((alpha * luminance).sum() + (beta * structure).sum())
        for (alpha, beta), (luminance, structure) in zip(shares, terms, strict=True)
    )
    return 1 - likeness / total


def _terms(first: DoubleArray, second: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Luminance and structure term of each channel: float64 (c,)."""
    mean_a, mean_b = first.mean(axis=(0, 1)), second.mean(axis=(0, 1))
    centred_a, centred_b = first - mean_a, second - mean_b
    var_a, var_b = (centred_a**2).mean(axis=(0, 1)), (centred_b**2).mean(axis=(0, 1))
    covariance = (centred_a * centred_b).mean(axis=(0, 1))
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * covariance + C2) / (var_a + var_b + C2)


def derivative_pyramid(image: DoubleArray) -> list[DoubleArray]:
    """Fixed features in place of a trained network: oriented Gaussian derivatives at three scales, rectified.

    Per scale, each half the one before, the responses of the first derivative steered to 0, 45, 90 and 135 degrees
    (Freeman and Adelson 1991) and the Laplacian, each split into its positive and negative part as a network's
    rectifier would.

    Returns
    -------
    Three arrays float64 (h, w, 10), of the channels' mean.
    """
    gray = image.mean(axis=2)
    layers = []
    for scale in range(SCALES):
        if scale:
            height, width = (side // 2 * 2 for side in gray.shape)
            gray = gray[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        down, across, bend = _derivatives(gray)
        diagonal, other = (across + down) / np.sqrt(2), (across - down) / np.sqrt(2)
        responses = np.stack([across, diagonal, down, other, bend], axis=-1)
        layers.append(np.concatenate([np.maximum(responses, 0), np.maximum(-responses, 0)], axis=-1))
    return layers


def _derivatives(gray: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Derivatives along y and x and the Laplacian of the blurred image."""
    offsets = np.arange(-4, 5) / SIGMA_PX
    gauss = np.exp(-0.5 * offsets**2)
    gauss /= gauss.sum()
    slope = offsets * gauss
    curve = (offsets**2 - 1) * gauss
    curve -= curve.mean()

    def apply(vertical: DoubleArray, horizontal: DoubleArray) -> DoubleArray:
        return np.asarray(correlate1d(correlate1d(gray, vertical, axis=0), horizontal, axis=1))

    return apply(slope, gauss), apply(gauss, slope), apply(curve, gauss) + apply(gauss, curve)
