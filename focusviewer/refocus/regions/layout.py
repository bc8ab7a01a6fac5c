"""Regions cut into overlapping tiles with context around them, and what is read of a slide for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.optics.profile import OpticsProfile
from focusviewer.refocus.base import Refocuser
from focusviewer.refocus.spans import TILE_PX, Span
from focusviewer.slides.base import Region, Slide


@dataclass(frozen=True)
class View:
    """What is refocused: a region (x, y, width, height in level-0 pixels) seen through some planes of a slide.

    ``profile`` is the measured optics of its scanner, where there are any.
    """

    slide: Slide
    box: tuple[int, int, int, int]
    planes: tuple[int, ...]
    planes_um: tuple[float, ...]
    mpp: float
    profile: OpticsProfile | None = None


@dataclass(frozen=True)
class Tile:
    """A tile in pixels of the region; ``pads`` is the context around it (left, top, right, bottom)."""

    x: Span
    y: Span
    pads: tuple[int, int, int, int]

    def core(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What is left of an array (H, W, ...) with context when that is cut away."""
        left, top, right, bottom = self.pads
        return pixels[top : pixels.shape[0] - bottom, left : pixels.shape[1] - right]


def tile_px(planes: int) -> int:
    """Side of a tile: what an engine keeps of it grows with the number of planes, and memory is bounded."""
    return TILE_PX if planes <= 2 else TILE_PX * 5 // 8 if planes <= 6 else TILE_PX * 3 // 8


def tile_at(view: View, engine: Refocuser, x: Span, y: Span) -> Tile:
    """A tile with as much context as the engine looks at and the slide has."""
    halo = engine.halo_px
    left, top, _, _ = view.box
    width, height = view.slide.dimensions
    pads = (
        min(halo, left + x[0]),
        min(halo, top + y[0]),
        min(halo, width - left - x[1]),
        min(halo, height - top - y[1]),
    )
    return Tile(x, y, pads)


def read_tile(view: View, tile: Tile, plane: int) -> RGB:
    """Pixels of a tile with its context on one plane: uint8 (H, W, 3)."""
    left, top, right, bottom = tile.pads
    x, y = view.box[0] + tile.x[0] - left, view.box[1] + tile.y[0] - top
    width, height = tile.x[1] - tile.x[0] + left + right, tile.y[1] - tile.y[0] + top + bottom
    return view.slide.read_region(Region(0, x, y, width, height, plane))


def map_part(map_um: FloatMap, view: View, tile: Tile) -> FloatMap:
    """The part of a map that lies under a tile with its context: float32 (H, W).

    A map of another size than the region is stretched over it, linearly between its values; beyond the region its
    border goes on.
    """
    left, top, right, bottom = tile.pads
    _, _, width, height = view.box
    if map_um.shape == (height, width):
        part = map_um[tile.y[0] : tile.y[1], tile.x[0] : tile.x[1]]
        return np.pad(part, ((top, bottom), (left, right)), mode="edge").astype(np.float32)
    rows = (np.arange(tile.y[0] - top, tile.y[1] + bottom) + 0.5) * (map_um.shape[0] / height) - 0.5
    cols = (np.arange(tile.x[0] - left, tile.x[1] + right) + 0.5) * (map_um.shape[1] / width) - 0.5
    return _between(_between(map_um, rows).T, cols).T.astype(np.float32)


def _between(values: FloatMap, places: npt.NDArray[np.float64]) -> FloatMap:
    """Rows of a map at places between its rows."""
    places = np.clip(places, 0, values.shape[0] - 1)
    below = np.minimum(places.astype(int), max(values.shape[0] - 2, 0))
    weight = (places - below).astype(np.float32)[:, None]
    above = np.minimum(below + 1, values.shape[0] - 1)
    return np.asarray(values[below] * (1 - weight) + values[above] * weight, np.float32)
