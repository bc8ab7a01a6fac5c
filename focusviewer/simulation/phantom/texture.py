"""Noise and fibre textures, and the smooth interpolation that carries coarse fields to pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray

TILE = 1024
"""Side of the periodic textures, px."""


def _cubic_weights(fraction: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Weights of the cubic B-spline for the four nodes around a position: (n, 4)."""
    t = fraction
    columns = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return np.stack(columns, axis=-1) / 6.0


def spline_matrix(positions: npt.NDArray[np.floating], nodes: int) -> FloatArray:
    """Dense cubic B-spline matrix from ``nodes`` even nodes to ``positions`` (in node units): (n, nodes)."""
    base = np.floor(positions).astype(int)
    weights = _cubic_weights(positions - base)
    matrix = np.zeros((len(positions), nodes), np.float32)
    rows = np.arange(len(positions))
    for offset in range(4):
        np.add.at(matrix, (rows, np.clip(base + offset - 1, 0, nodes - 1)), weights[:, offset])
    return matrix


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> FloatArray:
    """Smooth random field of about unit variance.

    Parameters
    ----------
    shape : (H, W)
    wavelength : float
        Size of the features, in samples of the field.

    Returns
    -------
    float32 (H, W)
    """
    step = max(wavelength / 2.5, 1.0)
    phase = rng.random(2)
    counts = [int(side / step) + 5 for side in shape]
    nodes = rng.standard_normal(counts, dtype=np.float32)
    rows = spline_matrix(np.arange(shape[0]) / step + 1 + phase[0], counts[0])
    columns = spline_matrix(np.arange(shape[1]) / step + 1 + phase[1], counts[1])
    # The B-spline averages neighbours; 2.1 brings the variance back to about one.
    return np.asarray(2.1 * (rows @ nodes @ columns.T), dtype=np.float32)


def upsample(field: FloatArray, row0: int, col0: int, rows: int, cols: int, factor: int) -> FloatArray:
    """Cubic B-spline enlargement of a window of a coarse field.

    Parameters
    ----------
    field : float32 (h, w)
    row0, col0 : int
        Node at the first output pixel (needs one node before it and two after the last).
    rows, cols : int
        Nodes to enlarge.
    factor : int
        Output pixels per node.

    Returns
    -------
    float32 (rows * factor, cols * factor)
    """
    patch = field[row0 - 1 : row0 + rows + 2, col0 - 1 : col0 + cols + 2]
    weights = _cubic_weights(np.arange(factor) / factor).astype(np.float32)
    by_rows = _enlarge(np.ascontiguousarray(patch.T), weights, rows)
    return _enlarge(np.ascontiguousarray(by_rows.T), weights, cols)


def _enlarge(patch: FloatArray, weights: FloatArray, count: int) -> FloatArray:
    """Enlarge along the last axis: (n, count + 3) to (n, count * factor)."""
    windows = np.lib.stride_tricks.sliding_window_view(patch, 4, axis=1)
    enlarged = np.matmul(windows, weights.T)
    return np.asarray(enlarged, dtype=np.float32).reshape(patch.shape[0], count * len(weights))


def _filtered_noise(
    rng: np.random.Generator, sigma_rows: float, sigma_cols: float, shape: tuple[int, int] = (TILE, TILE)
) -> FloatArray:
    """Periodic Gaussian noise with the given correlation, zero mean and unit variance."""
    import scipy.fft

    spectrum = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    fy = np.fft.fftfreq(shape[0])[:, None] * sigma_rows
    fx = np.fft.rfftfreq(shape[1])[None, :] * sigma_cols
    spectrum *= np.exp(-2 * np.pi**2 * (fy**2 + fx**2)).astype(np.float32)
    noise = scipy.fft.irfft2(spectrum, s=shape)
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)


@lru_cache(maxsize=32)
def grain_tile(seed: int, sigma_px: float) -> FloatArray:
    """Periodic isotropic noise, float32 (TILE, TILE), unit variance."""
    return _filtered_noise(np.random.default_rng((seed, 11)), sigma_px, sigma_px)


@lru_cache(maxsize=4)
def cytoplasm_tile(seed: int, mpp: float) -> FloatArray:
    """Granules and strands of cytoplasm: periodic, zero mean, unit variance, with detail down to the pixel."""
    rng = np.random.default_rng((seed, 12))
    fine = _filtered_noise(rng, 0.16 / mpp, 0.16 / mpp)
    medium = _filtered_noise(rng, 0.38 / mpp, 0.38 / mpp)
    coarse = _filtered_noise(rng, 1.0 / mpp, 1.0 / mpp)
    # The ridge of a noise is a net of strands, which is what vacuolated cytoplasm looks like.
    strands = -np.abs(_filtered_noise(rng, 0.8 / mpp, 0.8 / mpp))
    mix = 0.55 * fine + 0.7 * medium + 0.4 * coarse + 0.9 * strands
    return np.asarray((mix - mix.mean()) / mix.std(), dtype=np.float32)


FIBRE_ACROSS_UM = 0.25
FIBRE_ALONG_UM = 1.0
"""Sampling of the fibre texture across and along the fibres, um per texel."""


@lru_cache(maxsize=4)
def fibre_tile(seed: int) -> FloatArray:
    """Collagen as a function of (across, along): float32 (TILE, TILE), periodic, mean about 0.5, within 0..1.

    Thin fibrils gathered in bundles, with the paler gaps between bundles.
    """
    rng = np.random.default_rng((seed, 13))
    fibrils = _filtered_noise(rng, 0.9, 9.0)
    strands = 1.0 - np.abs(_filtered_noise(rng, 2.2, 22.0))
    bundles = _filtered_noise(rng, 7.0, 34.0)
    gaps = np.clip(np.abs(_filtered_noise(rng, 5.0, 20.0)) * 3.2, 0.0, 1.0)
    threads = _filtered_noise(rng, 1.3, 16.0)
    mix = 0.4 * fibrils + 0.3 * threads + 0.3 * strands + 0.4 * bundles
    mix = (mix - mix.mean()) / mix.std()
    level = 1.0 / (1.0 + np.exp(-1.1 * mix))
    return np.asarray(level * (0.55 + 0.45 * gaps), dtype=np.float32)


def window_of(tile: FloatArray, y0: int, x0: int, height: int, width: int) -> FloatArray:
    """A window of a periodic texture at any offset: float32 (height, width)."""
    rows = np.arange(y0, y0 + height) % tile.shape[0]
    columns = np.arange(x0, x0 + width) % tile.shape[1]
    return np.asarray(tile[rows[:, None], columns[None, :]], dtype=np.float32)


def look_up(tile: FloatArray, across: FloatArray, along: FloatArray) -> FloatArray:
    """Sample a periodic texture at positions in texels, linear across and nearest along.

    Parameters
    ----------
    across, along : float32 (H, W)
        Row and column positions; any value.

    Returns
    -------
    float32 (H, W)
    """
    size = tile.shape[0]
    base = np.floor(across)
    fraction = across - base
    row = base.astype(np.int32) & (size - 1)
    column = along.astype(np.int32) & (size - 1)
    flat = tile.ravel()
    index = row * np.int32(tile.shape[1]) + column
    low = flat.take(index)
    index = ((row + 1) & (size - 1)) * np.int32(tile.shape[1]) + column
    high = flat.take(index)
    return np.asarray(low + fraction * (high - low), dtype=np.float32)


def soft_step(value: FloatArray, width: float) -> FloatArray:
    """Smooth step from 0 to 1 around zero, ``width`` wide: float32, shape of ``value``."""
    t = np.clip(value / np.float32(width) + np.float32(0.5), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)
