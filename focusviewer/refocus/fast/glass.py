"""Where a view shows nothing but bare glass, which is left as it was scanned.

Glass has no focus, only the camera's noise and the blocks of a lossy file. An operator sharpens or smooths these as it
would tissue, and the colour of a block then spreads as a shade. How far from tissue glass begins is a question of the
target: light of tissue that is blurred on reaches as far as the cone of the lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap
from focusviewer.refocus.fast.guards import GLASS_LEVEL, glass_level, gray_levels, smooth_step
from focusviewer.refocus.fast.operators import SCANNER

SHADE = 8 / 255
"""By how much the mean gray of a cell may differ from the glass of the view; a speck of dust differs more."""

NOISE = 6 / 255
"""Standard deviation of the gray of bare glass around a cell: the camera's noise and the file's, no texture."""

_AROUND_CELLS = 5
CELL_PX = 4
"""Side of a cell: that of the selector, whose module loads torch."""

_FADE_PX = 8.0
_REACH = 0.6  # of the cone's radius: what arrives further out is too faint to be seen missing


def clearance(pixels: npt.NDArray[np.uint8]) -> FloatMap:
    """Distance of every cell from whatever is no bare glass, in pixels: float32 (h, w), 0 where it is none itself.

    Parameters
    ----------
    pixels : uint8 (H, W, 3), H and W multiples of the cell's side
    """
    from scipy.ndimage import distance_transform_edt, uniform_filter

    sums, counts = gray_levels(pixels)
    level = glass_level(sums, counts)
    gray = sums.astype(np.float32) * np.float32(1 / 765)
    gray -= np.float32(level)
    if level < GLASS_LEVEL:
        return np.zeros([side // CELL_PX for side in gray.shape], np.float32)
    cells, squares = _cell_means(gray), _cell_means(np.square(gray))
    mean, power = (uniform_filter(values, _AROUND_CELLS, mode="nearest") for values in (cells, squares))
    bare = (np.abs(cells) < SHADE) & (power - np.square(mean) < NOISE**2)
    if bare.all():
        return np.full(bare.shape, np.inf, np.float32)
    return np.asarray(distance_transform_edt(bare) * CELL_PX, dtype=np.float32)


def view_clearance(images: Sequence[npt.NDArray[np.uint8]]) -> FloatMap:
    """:func:`clearance` from whatever is no bare glass on any plane of a view of any size: float32 (h, w)."""
    height, width = images[0].shape[:2]
    pads = ((0, -height % CELL_PX), (0, -width % CELL_PX), (0, 0))
    return np.asarray(np.min([clearance(np.pad(image, pads, mode="edge")) for image in images], axis=0), np.float32)


def left_alone(clearance_px: FloatMap, shift_um: float | FloatMap, mpp: float) -> FloatMap:
    """How far glass is to stay as it is: 0..1, float32 (h, w).

    Parameters
    ----------
    clearance_px : float32 (h, w)
        From :func:`clearance`.
    shift_um : float or float32 (h, w)
        How far the target is from the plane that was scanned.
    """
    slope = SCANNER.na / float(np.sqrt(1 - SCANNER.na**2))
    reach = np.asarray(_REACH * slope * np.abs(shift_um) / mpp, dtype=np.float32)
    return smooth_step(clearance_px - reach, 0.0, _FADE_PX)


def _cell_means(values: FloatMap) -> FloatMap:
    """Mean of each cell, rows first: strides are faster than a sum over short axes."""
    rows = reduce(np.add, (values[offset::CELL_PX] for offset in range(CELL_PX)))
    cells = reduce(np.add, (rows[:, offset::CELL_PX] for offset in range(CELL_PX)))
    return np.asarray(cells / np.float32(CELL_PX**2), dtype=np.float32)
