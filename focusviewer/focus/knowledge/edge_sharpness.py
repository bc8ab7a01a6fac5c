"""How sharp edges are: the second difference of the smoothed image against the first difference of the image.

Kumar, Chen and Doermann, *Sharpness estimation for document and scene images*, ICPR 2012, there along rows and columns;
here along both diagonals too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.focus.measures.base import Gray, at

_DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))  # steps (x, y)
_REACH = 2  # pixels on either side that the sums along an edge take in
_HALO = 5  # second difference 2, sums 2, first difference 1
_SHARP = 2.0  # second over first differences from which an edge pixel is sharp; a step edge has 4
_EDGE = 2 / 255  # difference across two pixels from which a pixel is on an edge: as in the source, hardly a threshold
_LEAST = 1e-6


def edge_counts(gray: Gray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Which pixels are edges in each direction, and which of those are sharp: uint8 (4, H, W), 0 or 1.

    Parameters
    ----------
    gray : float32 (H, W)
        In [0, 1]; mirrored at its borders.
    """
    from scipy.ndimage import median_filter

    smooth = np.pad(median_filter(gray, 3, mode="mirror"), _HALO, mode="symmetric")
    plain = np.pad(gray, _HALO, mode="symmetric")
    edges, sharp = [], []
    for dx, dy in _DIRECTIONS:
        second: Gray | float = 0.0
        first: Gray | float = 0.0
        for k in range(-_REACH, _REACH + 1):
            x, y = k * dx, k * dy
            here = at(smooth, x, y, _HALO)
            ahead, behind = at(smooth, x + 2 * dx, y + 2 * dy, _HALO), at(smooth, x - 2 * dx, y - 2 * dy, _HALO)
            second = second + np.abs(ahead - 2 * here + behind)
            first = first + np.abs(at(plain, x, y, _HALO) - at(plain, x - dx, y - dy, _HALO))
        across = np.abs(at(smooth, dx, dy, _HALO) - at(smooth, -dx, -dy, _HALO))
        edge = across >= _EDGE
        edges.append(edge)
        sharp.append(edge & (second > _SHARP * np.maximum(first, _LEAST)))
    return np.stack(edges).astype(np.uint8), np.stack(sharp).astype(np.uint8)


def sharpness(gray: Gray, window: int, stride: int) -> Gray:
    """SI of every full window: the root of the summed squares of the shares of edge pixels that are sharp.

    Parameters
    ----------
    gray : float32 (H, W)
        In [0, 1].
    window, stride : int
        In pixels; the window is a multiple of the stride.

    Returns
    -------
    float32 (rows, cols), 0 (also where there is no edge) to 2
    """
    edges, sharp = (box_sums(part, window, stride) for part in edge_counts(gray))
    ratio = sharp / np.maximum(edges, 1)
    return np.asarray(np.sqrt(np.square(ratio).sum(axis=0)), np.float32)


def box_sums(maps: npt.NDArray[np.generic], window: int, stride: int) -> npt.NDArray[np.float64]:
    """Sums over every full window of maps (..., H, W): float64 (..., rows, cols)."""
    share = window // stride
    height, width = (side // stride * stride for side in maps.shape[-2:])
    shape = (*maps.shape[:-2], height // stride, stride, width // stride, stride)
    cells = maps[..., :height, :width].reshape(shape).sum(axis=(-3, -1), dtype=np.float64)
    rows, cols = (side - share + 1 for side in cells.shape[-2:])
    parts = [cells[..., y : y + rows, x : x + cols] for y in range(share) for x in range(share)]
    return np.asarray(sum(parts))
