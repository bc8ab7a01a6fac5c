"""Where the tissue lies on the focus axis, for views that come without focus maps.

The network wants the signed distance of every plane from the tissue. Two sources are at hand: the windows of a focus
model (as Wang 2024 does, with FocusLiteNN), and the estimate of the fast engine's selector, whose windows are much
smaller. Either way one map of depth per view follows, smooth and of low resolution; one plane cannot tell its side of
focus, and the tissue is taken to lie on the positive side.

Held-out pictures, blurred by 0 to 3 um, chose the default: the selector was wrong by 0.3 um on average with one plane
and left what is in focus at 0, where FocusLiteNN's windows said 0.3 (up to 1.3); with three planes by 0.14 against
0.33 (first version of that engine). At 4 um FocusLiteNN is the better one: the selector believes 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.base import MAX_Z_UM, Refocuser
from focusviewer.refocus.depth_search import best_depth

CELL_PX = 16
"""Pixels per cell of the depth map."""

STEP_UM = 0.125
_SMOOTH_CELLS = 1.5
_LARGEST_ERROR_UM = 1.0
_LEAST_GAIN = 1e-6
_BLOCK_PX = 1024
_MAP_CELL_PX = 4
_MOST_BELIEVED = 5


def combine(distances: Sequence[FloatMap], planes_um: Sequence[float]) -> FloatMap:
    """The depth that explains best how far every plane is from focus.

    Parameters
    ----------
    distances : sequence of float32 (h, w)
        |distance from focus| of each plane, um.
    planes_um : sequence of float
        Positions of the planes, increasing.

    Returns
    -------
    float32 (h, w), position of the tissue on the axis of the planes; with one plane never below it.
    """
    known = [np.clip(distance, 0, MAX_Z_UM).astype(np.float32) for distance in distances]
    if len(known) == 1:
        return known[0] + np.float32(planes_um[0])
    depths = np.arange(planes_um[0] - MAX_Z_UM, planes_um[-1] + MAX_Z_UM + 1e-6, STEP_UM, dtype=np.float32)
    return best_depth(known, planes_um, depths.tolist(), _bounded_error, _LEAST_GAIN)


def _bounded_error(expected_um: float, distance: FloatMap) -> FloatMap:
    """Squared error up to a micron: a plane that misjudges its distance must not outvote the others."""
    difference = np.abs(min(expected_um, MAX_Z_UM) - distance)
    return np.asarray(np.minimum(difference, _LARGEST_ERROR_UM) ** 2)


def from_maps(maps: Sequence[FloatMap], planes_um: Sequence[float]) -> FloatMap:
    """Depth from known |distances| per pixel: float32 (H, W); of one plane as sharp as its map."""
    known = [np.asarray(values, np.float32) for values in maps]
    if len(known) == 1:
        return combine(known, planes_um)
    cells = combine([_cell_means(values, _MAP_CELL_PX) for values in known], planes_um)
    return _stretched(cells, known[0].shape, _MAP_CELL_PX, known[0].shape)


def selector_depth(images: Sequence[RGB], mpp: float, planes_um: Sequence[float]) -> FloatMap:
    """Depth by the fast engine's selector: float32 (H, W), smoothed.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
    mpp : float
        Pixel size, um.
    planes_um : sequence of float
        Increasing. Of many, a few that are spread evenly are looked at.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), _MOST_BELIEVED)).round().astype(int))
    zs = [planes_um[index] for index in chosen]
    blur = _fast().encode([images[index] for index in chosen], mpp, zs).blur_um
    return _smoothed(blur + np.float32(zs[0]), planes_um)


@lru_cache(maxsize=1)
def _fast() -> Refocuser:
    from focusviewer.core.weights import need_weights
    from focusviewer.refocus.fast.engine import FastRefocuser
    from focusviewer.refocus.piecewise import PiecewiseEngine

    return PiecewiseEngine(FastRefocuser(need_weights("fast")), _BLOCK_PX)


def model_depth(images: Sequence[RGB], mpp: float, planes_um: Sequence[float]) -> FloatMap:
    """Depth from the windows of a focus model with a calibration: float32 (H, W), smoothed."""
    from focusviewer.refocus.blur_map import blur_map

    cells = [_cell_means(blur_map(image, mpp), CELL_PX) for image in images]
    depth = _stretched(combine(cells, planes_um), images[0].shape[:2], CELL_PX, images[0].shape[:2])
    return _smoothed(depth, planes_um)


def _stretched(cells: FloatMap, scaled: tuple[int, ...], cell_px: int, shape: tuple[int, ...]) -> FloatMap:
    """Cells of ``cell_px`` pixels of the scaled view, bilinear on the view's pixels."""
    from scipy.ndimage import map_coordinates

    axes = [(np.arange(full) + 0.5) * (small / full) / cell_px - 0.5 for full, small in zip(shape, scaled, strict=True)]
    return np.asarray(map_coordinates(cells, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest"))


def _cell_means(values: FloatMap, cell_px: int) -> FloatMap:
    """Means over square cells, the last ones filled up by the border."""
    full = np.pad(values, [(0, -side % cell_px) for side in values.shape], mode="edge")
    rows, columns = (side // cell_px for side in full.shape)
    return np.asarray(full.reshape(rows, cell_px, columns, cell_px).mean(axis=(1, 3)), dtype=np.float32)


def _smoothed(depth: FloatMap, planes_um: Sequence[float]) -> FloatMap:
    """Means over cells, smoothed, bilinear on the pixels; one plane: never below it."""
    from scipy.ndimage import gaussian_filter

    cells = gaussian_filter(_cell_means(depth, CELL_PX), _SMOOTH_CELLS, mode="nearest")
    if len(planes_um) == 1:
        cells = np.maximum(cells, planes_um[0])
    return _stretched(cells.astype(np.float32), depth.shape, CELL_PX, depth.shape)
