"""Fat: round cells pressed against each other, seen as empty spaces with thin walls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.layout import Frame

SPACING_UM = 52.0
REACH_UM = 100.0
ROUNDING_UM = 3.2
"""How far the corners between three cells are filled."""


def fat_sizes(x_um: npt.NDArray[np.floating], y_um: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Size of each cell, um; it follows from the position, so that every window agrees on it."""
    return np.asarray(26.0 * (np.sin(x_um * 12.9898 + y_um * 78.233) * 43758.5453 % 1.0))


def wall_places(
    x_um: npt.NDArray[np.floating], y_um: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The middle of the wall between each two neighbouring cells: x, y (um) and the direction of the wall."""
    from scipy.spatial import cKDTree

    empty = np.zeros(0)
    if len(x_um) < 5:
        return empty, empty, empty
    points, size = np.column_stack((x_um, y_um)), fat_sizes(x_um, y_um)
    tree = cKDTree(points)
    first, second = tree.query_pairs(1.7 * SPACING_UM, output_type="ndarray").T
    between = points[second] - points[first]
    length = np.hypot(between[:, 0], between[:, 1])
    share = 0.5 + (size[first] - size[second]) / (2 * length)
    middle = points[first] + share[:, None] * between
    # Only neighbours have a wall: no third cell may be nearer to its middle.
    distance, index = tree.query(middle, k=5)
    margin = (distance - size[index]).min(axis=1) - (share * length - size[first])
    real = (margin > -1e-6) & (share > 0.1) & (share < 0.9)
    return middle[real, 0], middle[real, 1], np.arctan2(between[real, 1], between[real, 0]) + np.pi / 2


def fat_walls(x_um: npt.NDArray[np.floating], y_um: npt.NDArray[np.floating], frame: Frame) -> FloatArray:
    """Distance inside a fat cell, with rounded corners.

    A soft power diagram: with ``e_i = exp((r_i - d_i) / s)`` for the distance ``d_i`` to cell ``i`` and its size
    ``r_i``, the result ``s log(max e / (sum e - max e))`` is the usual difference of the two smallest distances on a
    side between two cells, and less where a third is near.

    Parameters
    ----------
    x_um, y_um : float (n,)
        Centres of the cells.
    frame : Frame
        The window.

    Returns
    -------
    float32 (H, W), um; about twice the distance to the middle of the wall.
    """
    step = 2 if frame.mpp < 0.4 else 1
    rows = np.arange(frame.y0, frame.y0 + frame.height + step, step, dtype=np.float32) * np.float32(frame.mpp)
    columns = np.arange(frame.x0, frame.x0 + frame.width + step, step, dtype=np.float32) * np.float32(frame.mpp)
    largest = np.full((rows.size, columns.size), 1e-30, np.float32)
    total = np.full((rows.size, columns.size), 2e-30, np.float32)
    for x, y, size in zip(x_um, y_um, fat_sizes(x_um, y_um), strict=True):
        top, bottom = np.searchsorted(rows, (y - REACH_UM, y + REACH_UM))
        left, right = np.searchsorted(columns, (x - REACH_UM, x + REACH_UM))
        if top >= bottom or left >= right:
            continue
        dx, dy = columns[None, left:right] - np.float32(x), rows[top:bottom, None] - np.float32(y)
        share = np.exp((np.float32(size) - np.sqrt(dx * dx + dy * dy)) / np.float32(ROUNDING_UM))
        window = slice(top, bottom), slice(left, right)
        total[window] += share
        np.maximum(largest[window], share, out=largest[window])
    depth = np.float32(ROUNDING_UM) * np.log(largest / np.maximum(total - largest, 1e-30))
    if step == 1:
        return np.asarray(depth[: frame.height, : frame.width], np.float32)
    return _enlarge(depth)[: frame.height, : frame.width]


def _enlarge(image: FloatArray) -> FloatArray:
    """Linear interpolation to twice the sampling: (h, w) to (2 h - 2, 2 w - 2), sample 0 on sample 0."""
    h, w = image.shape
    rows = np.empty((2 * h - 2, w), np.float32)
    rows[0::2] = image[:-1]
    rows[1::2] = (image[:-1] + image[1:]) / 2
    result = np.empty((2 * h - 2, 2 * w - 2), np.float32)
    result[:, 0::2] = rows[:, :-1]
    result[:, 1::2] = (rows[:, :-1] + rows[:, 1:]) / 2
    return result
