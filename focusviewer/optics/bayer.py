"""The colour filter array of a camera: one colour measured at each pixel, the other two interpolated."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import FloatArray


def mosaic(image: FloatArray) -> FloatArray:
    """What the pixels behind a Bayer filter (RGGB) measure: float32 (H, W, 3) to (H, W)."""
    raw = image[..., 1].copy()
    raw[0::2, 0::2] = image[0::2, 0::2, 0]
    raw[1::2, 1::2] = image[1::2, 1::2, 2]
    return raw


def demosaic(raw: FloatArray) -> FloatArray:
    """Colours from a Bayer mosaic (RGGB), as cameras do: float32 (H, W) to (H, W, 3).

    Linear interpolation corrected by the Laplacian of the colour that was measured there (Malvar, He and Cutler 2004).
    """
    h, w = raw.shape
    p = np.pad(raw, 2, mode="reflect")

    def at(dy: int, dx: int) -> FloatArray:
        return p[2 + dy : 2 + dy + h, 2 + dx : 2 + dx + w]

    cross = at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1)
    diagonal = at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1)
    across, down = at(0, -2) + at(0, 2), at(-2, 0) + at(2, 0)
    green = (4 * raw + 2 * cross - across - down) / np.float32(8)
    # The colour of the neighbours left and right, of those above and below, and of the corners.
    beside = (5 * raw + 4 * (at(0, -1) + at(0, 1)) - diagonal - across + down / 2) / np.float32(8)
    above = (5 * raw + 4 * (at(-1, 0) + at(1, 0)) - diagonal - down + across / 2) / np.float32(8)
    corner = (6 * raw + 2 * diagonal - 1.5 * (across + down)) / np.float32(8)
    result = np.empty((h, w, 3), np.float32)
    even, odd = slice(0, None, 2), slice(1, None, 2)
    for red, rows, columns in ((0, even, even), (2, odd, odd)):
        other = 2 - red
        result[rows, columns, red] = raw[rows, columns]
        result[rows, columns, 1] = green[rows, columns]
        result[rows, columns, other] = corner[rows, columns]
    result[even, odd, 1], result[odd, even, 1] = raw[even, odd], raw[odd, even]
    result[even, odd, 0], result[even, odd, 2] = beside[even, odd], above[even, odd]
    result[odd, even, 0], result[odd, even, 2] = above[odd, even], beside[odd, even]
    return result
