"""HiFST: a blur map from sorted high-frequency cosine coefficients of gradient magnitudes.

Golestaneh and Karam, *Spatially-varying blur detection based on multiscale fused and sorted transform coefficients of
gradient magnitudes*, CVPR 2017, as the classical detector of blurred windows on slides uses it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.focus.measures.base import Gray
from focusviewer.focus.measures.spectral import dct_matrix

SIDES = (7, 15, 31, 63)
"""Sides of the patches, 2M + 1 px."""

LAYERS = sum(SIDES)
"""Layers that are summed, from the smallest coefficients on; the source takes this many of the 2,555."""

STEP = 8
"""Pixels between the positions where patches are taken: every pixel lies in several patches of all sides but the
smallest, and windows of 64 px hold 64 positions. The map between them is not computed."""

REACH = max(SIDES) // 2 + 2
"""Pixels around a position that its layers look at: half the largest patch, the gradient, the smoothing."""

_NEIGHBOURS = 7  # positions a side for the local entropy
_SPATIAL, _RANGE, _ROUNDS = 15.0 / STEP, 0.25, 3  # domain transform: spread in positions and in full scale
_SMOOTHING = np.array([0.1065, 0.787, 0.1065], np.float32)  # Gaussian of sigma 0.5


@dataclass(frozen=True)
class LayerRange:
    """Where each layer begins and ends, for maps that must not depend on the rest of the image.

    Attributes
    ----------
    low, high : float32 (LAYERS,)
    """

    low: Gray
    high: Gray

    @classmethod
    def of(cls, layers: Gray) -> LayerRange:
        """Smallest and largest value of each layer, as published."""
        flat = layers.reshape(-1, layers.shape[-1])
        return cls(flat.min(axis=0), flat.max(axis=0))


def gradient_magnitude(gray: Gray) -> Gray:
    """Gradient of the image smoothed with sigma 0.5; loses two pixels at each border."""
    soft = sum(w * gray[i : len(gray) - 2 + i] for i, w in enumerate(_SMOOTHING))
    width = gray.shape[1] - 2
    soft = sum(w * soft[:, i : width + i] for i, w in enumerate(_SMOOTHING))
    across, down = soft[1:-1, 2:] - soft[1:-1, :-2], soft[2:, 1:-1] - soft[:-2, 1:-1]
    return np.asarray(np.hypot(across, down) / 2, np.float32)


def sorted_layers(gray: Gray, rows: int, cols: int) -> Gray:
    """The layers at a grid of positions.

    Parameters
    ----------
    gray : float32 (H, W)
        In [0, 1]; the first position is pixel (REACH, REACH), the others STEP apart.

    Returns
    -------
    float32 (rows, cols, LAYERS), ascending along the last axis
    """
    gradient = gradient_magnitude(gray)
    middle = REACH - 2  # of the first position in ``gradient``
    across = [_transformed_rows(gradient, side, middle - side // 2, cols) for side in SIDES]
    layers = np.empty((rows, cols, LAYERS), np.float32)
    for row in range(rows):
        parts = []
        for side, transformed in zip(SIDES, across, strict=True):
            top = row * STEP + middle - side // 2
            strip = transformed[top : top + side].reshape(side, -1)
            spectrum = (dct_matrix(side) @ strip).reshape(side, cols, side).transpose(1, 0, 2)
            parts.append(np.abs(spectrum[:, _high_band(side)]))
        smallest = np.partition(np.concatenate(parts, axis=1), LAYERS - 1, axis=1)[:, :LAYERS]
        layers[row] = np.sort(smallest, axis=1)
    return layers


def _transformed_rows(gradient: Gray, side: int, left: int, cols: int) -> Gray:
    """Horizontal cosine transform of every line of the patches, shared by patches above each other: (H, cols, side)."""
    lines = np.lib.stride_tricks.sliding_window_view(gradient, side, axis=1)[:, left::STEP][:, :cols]
    return np.asarray(np.ascontiguousarray(lines).reshape(-1, side) @ dct_matrix(side).T).reshape(-1, cols, side)


@functools.cache
def _high_band(side: int) -> npt.NDArray[np.bool_]:
    u, v = np.mgrid[:side, :side]
    return np.asarray(u + v >= side)


def summed(layers: Gray, scale: LayerRange) -> Gray:
    """Sum of the normalised layers over their number: float32 (rows, cols), about 0..1."""
    span = np.maximum(scale.high - scale.low, np.float32(1e-9))
    return np.asarray(np.clip((layers - scale.low) / span, 0, 1).mean(axis=-1))


def local_entropy(values: Gray) -> Gray:
    """Entropy (bits) of 256 gray levels over 7 x 7 positions; loses three at each border."""
    from skimage.filters.rank import entropy

    levels = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    border = _NEIGHBOURS // 2
    square = np.ones((_NEIGHBOURS, _NEIGHBOURS), np.uint8)
    bits = entropy(levels, square)  # type: ignore[no-untyped-call]
    return np.asarray(bits[border:-border, border:-border], np.float32)


def blur_map(gray: Gray) -> Gray:
    """The map D of an image: float32 (rows, cols), 0..255, dark where it is blurred.

    One value for every STEP x STEP pixels (the whole ones), taken at their middle; the image is mirrored at its
    borders. Layers, entropy and the result are each stretched between their extremes over the image, as published:
    D ranks the parts of one image and says nothing about another.
    """
    rows, cols = (side // STEP for side in gray.shape)
    pad = REACH - STEP // 2
    spare = [(pad, pad + STEP + 2)] * 2
    layers = sorted_layers(np.pad(gray, spare, mode="symmetric"), rows, cols)
    total = stretched(summed(layers, LayerRange.of(layers)))
    entropy = local_entropy(np.pad(total, _NEIGHBOURS // 2, mode="symmetric"))
    return np.asarray(255 * stretched(domain_transform(stretched(total * entropy))))


def stretched(values: Gray) -> Gray:
    """Minimum to 0 and maximum to 1; zeros when all are equal."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / max(high - low, 1e-9), np.float32)


def domain_transform(values: Gray) -> Gray:
    """Edge-aware smoothing: the recursive filter of Gastal and Oliveira (SIGGRAPH 2011), guided by the map itself."""
    across = 1 + _SPATIAL / _RANGE * np.abs(np.diff(values, axis=1))
    down = 1 + _SPATIAL / _RANGE * np.abs(np.diff(values, axis=0)).T
    result = values.copy()
    for index in range(_ROUNDS):
        sigma = _SPATIAL * np.sqrt(3) * 2 ** (_ROUNDS - index - 1) / np.sqrt(4**_ROUNDS - 1)
        feedback = np.exp(-np.sqrt(2) / sigma)
        result = _recursive(result, feedback**across)
        result = _recursive(np.ascontiguousarray(result.T), feedback**down).T
    return np.ascontiguousarray(result, np.float32)


def _recursive(values: Gray, weight: npt.NDArray[np.floating]) -> Gray:
    result = values.copy()
    for col in range(1, values.shape[1]):
        result[:, col] += weight[:, col - 1] * (result[:, col - 1] - result[:, col])
    for col in range(values.shape[1] - 2, -1, -1):
        result[:, col] += weight[:, col] * (result[:, col + 1] - result[:, col])
    return result
