"""Pixels of a slide at any scale: the nearest finer level, averaged down (or, at worst, interpolated up)."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.slides import Region, Slide

_MARGIN = 4  # level pixels read around a box, so that the filter sees its neighbours


def resample(image: RGB, scale: float, box: tuple[float, float, float, float] | None = None) -> RGB:
    """Resize an image by area averaging (down) or linearly (up).

    Parameters
    ----------
    image : uint8 (H, W, 3)
    scale : float
        Input pixels per output pixel.
    box : (x0, y0, x1, y1), optional
        Part of the image to resize, in its pixels, not necessarily whole ones.

    Returns
    -------
    uint8 (h, w, 3), at least one pixel each way.
    """
    from PIL import Image

    x0, y0, x1, y1 = box or (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    size = max(1, round((x1 - x0) / scale)), max(1, round((y1 - y0) / scale))
    if abs(scale - round(scale)) < 0.01 and scale >= 1:
        method = Image.Resampling.BOX
    else:  # a box filter at odd ratios takes now one pixel, now two, and reads as uneven sharpness
        method = Image.Resampling.HAMMING if scale > 1 else Image.Resampling.BILINEAR
    resized = Image.fromarray(np.ascontiguousarray(image)).resize(size, method, box=(x0, y0, x1, y1))
    return np.asarray(resized)


def read_scaled(slide: Slide, plane: int, scale: float, box: tuple[int, int, int, int]) -> RGB:
    """Read a box given in pixels of ``scale`` level-0 pixels each; what lies outside the slide is mirrored.

    Parameters
    ----------
    box : (x0, y0, x1, y1)
        In scaled pixels; may reach over the slide's edges, but must touch it.

    Returns
    -------
    uint8 (y1 - y0, x1 - x0, 3)
    """
    width, height = slide.dimensions
    x0, y0, x1, y1 = box
    inside_x = max(0, x0), min(max(1, round(width / scale)), x1)
    inside_y = max(0, y0), min(max(1, round(height / scale)), y1)
    inner = (inside_x[0], inside_y[0], inside_x[1], inside_y[1])
    if scale == 1.0:
        region = Region(0, inner[0], inner[1], inner[2] - inner[0], inner[3] - inner[1], plane)
        pixels = slide.read_region(region)
    else:
        pixels = _read_resampled(slide, plane, scale, inner)
    pads = ((inside_y[0] - y0, y1 - inside_y[1]), (inside_x[0] - x0, x1 - inside_x[1]), (0, 0))
    return np.pad(pixels, pads, mode="symmetric") if any(max(pad) for pad in pads) else pixels


def _read_resampled(slide: Slide, plane: int, scale: float, box: tuple[int, int, int, int]) -> RGB:
    index = slide.best_level(scale)
    level = slide.levels[index]
    ratio = scale / level.downsample
    left, top, right, bottom = (edge * ratio for edge in box)
    x0, y0 = max(0, int(left) - _MARGIN), max(0, int(top) - _MARGIN)
    x1, y1 = min(level.width, int(right) + _MARGIN + 1), min(level.height, int(bottom) + _MARGIN + 1)
    corner = round(x0 * level.downsample), round(y0 * level.downsample)
    pixels = slide.read_region(Region(index, *corner, x1 - x0, y1 - y0, plane))
    part = (left - x0, top - y0, min(right, x1) - x0, min(bottom, y1) - y0)
    resized = resample(pixels, ratio, part)
    missing = box[3] - box[1] - resized.shape[0], box[2] - box[0] - resized.shape[1]
    if missing == (0, 0):
        return resized
    # Rounding of the level's size can cost a pixel at the slide's far edge.
    resized = np.pad(resized, ((0, max(0, missing[0])), (0, max(0, missing[1])), (0, 0)), mode="edge")
    return resized[: box[3] - box[1], : box[2] - box[0]]
