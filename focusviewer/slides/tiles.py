"""The picture that the viewport paints: square tiles at zoom levels that are powers of two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.slides.base import Region, Slide
from focusviewer.slides.pixels import resample, shrink

_WHOLE_RATIO_SLACK = 0.01


@dataclass(frozen=True, slots=True)
class TileKey:
    """One tile of the display pyramid.

    Parameters
    ----------
    slide : str
        Fingerprint.
    zoom : int
        Downsample ``2**zoom`` of level 0.
    col, row : int
        Position in the grid of that zoom.
    plane : int
        Focal plane index.
    """

    slide: str
    zoom: int
    col: int
    row: int
    plane: int


class DisplayPyramid:
    """Zoom levels of a slide, each half the size of the one before, whatever levels the file has.

    Parameters
    ----------
    slide : Slide
    tile_px : int
        Edge length of a tile; tiles at the right and lower edge are smaller.
    """

    def __init__(self, slide: Slide, tile_px: int = 512) -> None:
        self.slide, self.tile_px = slide, tile_px
        longest = max(slide.dimensions)
        self.n_zooms = 1 + max(0, math.ceil(math.log2(max(longest, 1) / tile_px)))
        self.fingerprint = slide.fingerprint

    def size(self, zoom: int) -> tuple[int, int]:
        """Width and height in pixels at a zoom level."""
        width, height = self.slide.dimensions
        return max(1, width >> zoom), max(1, height >> zoom)

    def grid(self, zoom: int) -> tuple[int, int]:
        """Columns and rows of tiles at a zoom level."""
        width, height = self.size(zoom)
        return -(-width // self.tile_px), -(-height // self.tile_px)

    def zoom_for(self, scale: float) -> int:
        """Coarsest zoom level that is at least as fine as the screen.

        Parameters
        ----------
        scale : float
            Screen pixels per level-0 pixel.
        """
        if scale <= 0:
            return self.n_zooms - 1
        return min(max(math.floor(math.log2(1 / scale) + 1e-6), 0), self.n_zooms - 1)

    def tile_rect(self, key: TileKey) -> tuple[int, int, int, int]:
        """x, y, width, height of a tile in pixels of its zoom level."""
        width, height = self.size(key.zoom)
        x, y = key.col * self.tile_px, key.row * self.tile_px
        return x, y, min(self.tile_px, width - x), min(self.tile_px, height - y)

    def read_tile(self, key: TileKey) -> RGB:
        """Pixels of a tile, read from the coarsest level that is fine enough and area-averaged down.

        The array is C-contiguous and may be read-only.

        Raises
        ------
        SlideError
            If the file is damaged there.
        """
        x, y, width, height = self.tile_rect(key)
        factor = 1 << key.zoom
        index = self.slide.best_level(factor)
        level = self.slide.levels[index]
        ratio = factor / level.downsample
        whole = max(1, round(ratio))
        if abs(ratio - whole) <= _WHOLE_RATIO_SLACK * whole:
            # Scanners cut levels to whole pixels, so 4.0003 means 4.
            return shrink(self._read(index, x * whole, y * whole, width * whole, height * whole, key.plane), whole)
        across, down = factor * level.width / self.slide.dimensions[0], factor * level.height / self.slide.dimensions[1]
        x0, y0, x1, y1 = x * across, y * down, (x + width) * across, (y + height) * down
        left, top = math.floor(x0), math.floor(y0)
        part = self._read(index, left, top, math.ceil(x1) - left, math.ceil(y1) - top, key.plane)
        return resample(part, (x0 - left, y0 - top, x1 - left, y1 - top), width, height)

    def _read(self, index: int, x: int, y: int, width: int, height: int, plane: int) -> RGB:
        """Part of a level, corner in its own pixels; beyond its edge (by rounding) the last pixels are repeated."""
        level = self.slide.levels[index]
        inside_w, inside_h = max(1, min(width, level.width - x)), max(1, min(height, level.height - y))
        corner = round(x * level.downsample), round(y * level.downsample)
        part = self.slide.read_region(Region(index, *corner, inside_w, inside_h, plane))
        if (inside_w, inside_h) != (width, height):
            part = np.pad(part, ((0, height - inside_h), (0, width - inside_w), (0, 0)), mode="edge")
        return part


def visible_tiles(
    pyramid: DisplayPyramid, x0: float, y0: float, x1: float, y1: float, zoom: int, plane: int, margin: int = 0
) -> list[TileKey]:
    """Tiles that a rectangle touches, the ones nearest to its centre first.

    Parameters
    ----------
    x0, y0, x1, y1 : float
        Rectangle in level-0 pixels; may reach beyond the slide.
    margin : int
        Rings of tiles to add around it.
    """
    step = pyramid.tile_px << zoom
    columns, rows = pyramid.grid(zoom)
    if x1 <= x0 or y1 <= y0:
        return []
    left, right = max(0, math.floor(x0 / step) - margin), min(columns, math.ceil(x1 / step) + margin)
    top, bottom = max(0, math.floor(y0 / step) - margin), min(rows, math.ceil(y1 / step) + margin)
    cx, cy = (x0 + x1) / 2 / step - 0.5, (y0 + y1) / 2 / step - 0.5
    cells = [(col, row) for row in range(top, bottom) for col in range(left, right)]
    cells.sort(key=lambda cell: (cell[0] - cx) ** 2 + (cell[1] - cy) ** 2)
    return [TileKey(pyramid.fingerprint, zoom, col, row, plane) for col, row in cells]
