"""Tiles that a level of the pyramid lacks though a finer level has them: made from that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, Mask
from focusviewer.slides.pixels import resample, white
from focusviewer.slides.readers.tiff.pages import MergedPage, PageImage, TiledPage

_READ_PX = 4 << 20  # of the finer level at once

Ints = npt.NDArray[np.intp]


def lend_finer_tiles(levels: Sequence[PageImage]) -> list[int]:
    """Let the tiles that levels lack be made from the next finer level, where that has pixels or can make them.

    What the finest level lacks was not scanned and stays white.

    Parameters
    ----------
    levels : sequence of PageImage
        One plane, finest first.

    Returns
    -------
    How many tiles of each level are made, 0 for the finest.
    """
    return [0] + [_lend(finer, page) for finer, page in pairwise(levels)]


def absent_remark(lent: Sequence[int], totals: Sequence[int]) -> str | None:
    """What is said of it: ``level 1 lacks 6 of its 8 tiles, which are made from the finer level``; None for nothing."""
    parts = [f"level {level} lacks {n:,} of its {totals[level]:,} tiles" for level, n in enumerate(lent) if n]
    return f"{', '.join(parts)}, which are made from the next finer level" if parts else None


def tile_count(page: PageImage) -> int:
    """How many tiles a page is made of; 0 for one that is not read in tiles."""
    page = page.channels[0] if isinstance(page, MergedPage) else page
    return page.held.size if isinstance(page, TiledPage) else 0


def _lend(finer: PageImage, page: PageImage) -> int:
    if isinstance(page, MergedPage) and isinstance(finer, MergedPage):
        return max(_lend(*pair) for pair in zip(finer.channels, page.channels, strict=True))
    if not isinstance(page, TiledPage) or page.held.all():
        return 0
    lacking = ~page.held & _covered(finer, page)
    if lacking.any():
        page.lend(lacking, lambda index: _made(finer, page, index))
    return int(lacking.sum())


def _covered(finer: PageImage, page: TiledPage) -> Mask:
    """Tiles of a page below which a finer one has pixels: bool (rows, columns)."""
    rows, columns = page.held.shape
    if not isinstance(finer, TiledPage):
        return np.ones((rows, columns), bool)
    total = np.pad(finer.shown.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    top, bottom = _span(rows, page.tile_height * finer.height / page.height / finer.tile_height, total.shape[0] - 1)
    left, right = _span(columns, page.tile_width * finer.width / page.width / finer.tile_width, total.shape[1] - 1)
    top, bottom = top[:, None], bottom[:, None]
    return np.asarray(total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left] > 0)


def _span(count: int, step: float, most: int) -> tuple[Ints, Ints]:
    """First and last-but-one of the finer tiles below each of so many tiles along an axis."""
    places = np.arange(count)
    first = np.minimum(np.floor(places * step), most).astype(np.intp)
    return first, np.minimum(np.ceil((places + 1) * step), most).astype(np.intp)


def _made(finer: PageImage, page: TiledPage, index: int) -> RGB:
    """A tile by area averaging from the finer level, as far as it lies inside the page; white beyond."""
    row, column = divmod(index, page.held.shape[1])
    left, top = column * page.tile_width, row * page.tile_height
    width, height = min(page.tile_width, page.width - left), min(page.tile_height, page.height - top)
    across, down = finer.width / page.width, finer.height / page.height
    tile = white(page.tile_height, page.tile_width)
    side = max(1, int(math.sqrt(_READ_PX / (across * down))))
    for y in range(0, height, side):
        for x in range(0, width, side):
            w, h = min(side, width - x), min(side, height - y)
            box = (left + x) * across, (top + y) * down, (left + x + w) * across, (top + y + h) * down
            x0, y0 = int(box[0]), int(box[1])
            pixels = white(min(math.ceil(box[3]), finer.height) - y0, min(math.ceil(box[2]), finer.width) - x0)
            finer.read_into(pixels, x0, y0)
            inside = (box[0] - x0, box[1] - y0, min(box[2] - x0, pixels.shape[1]), min(box[3] - y0, pixels.shape[0]))
            tile[y : y + h, x : x + w] = resample(pixels, inside, w, h)
    return tile
