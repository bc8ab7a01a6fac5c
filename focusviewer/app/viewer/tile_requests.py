"""Which tiles a view needs, and in which order; no Qt here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from focusviewer.app.viewer.document import Document
from focusviewer.slides import TileKey, visible_tiles

PREFETCH_MARGIN = 1


@dataclass(frozen=True)
class TileRange:
    """The rectangle of tiles a view touches: while it stays the same, no new tiles are needed."""

    zoom: int
    plane: int
    cells: tuple[int, int, int, int]  # first column and row, and the ones behind the last

    @classmethod
    def of(cls, document: Document) -> TileRange:
        """The tiles that the document's view touches."""
        view, pyramid = document.view, document.pyramid
        zoom = pyramid.zoom_for(view.scale)
        step = pyramid.tile_px * 2**zoom
        x0, y0, x1, y1 = view.rect()
        cells = (math.floor(x0 / step), math.floor(y0 / step), math.ceil(x1 / step), math.ceil(y1 / step))
        return cls(zoom, view.plane, cells)


def tiles_on_screen(document: Document, zoom: int) -> list[TileKey]:
    """Tiles on screen, the middle ones first."""
    return visible_tiles(document.pyramid, *document.view.rect(), zoom, document.view.plane)


def tiles_to_load(document: Document, zoom: int, top: TileKey, seen: list[TileKey]) -> list[TileKey]:
    """Most urgent first: the coarsest tile, the visible ones, the planes above and below, the ring around.

    Parameters
    ----------
    top : TileKey
        The coarsest tile, which stands in for all others.
    seen : list of TileKey
        See :func:`tiles_on_screen`.
    """
    pyramid, plane, rect = document.pyramid, document.view.plane, document.view.rect()
    keys = [top, *seen]
    for neighbour in (plane - 1, plane + 1):
        if 0 <= neighbour < len(document.planes_um):
            keys += visible_tiles(pyramid, *rect, zoom, neighbour)
    keys += visible_tiles(pyramid, *rect, zoom, plane, margin=PREFETCH_MARGIN)
    if zoom + 1 < pyramid.n_zooms:
        keys += visible_tiles(pyramid, *rect, zoom + 1, plane, margin=PREFETCH_MARGIN)
    return list(dict.fromkeys(keys))
