"""Refocusing a region of any size: overlapping tiles with context around them, blended without seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from focusviewer.slides.base import RGB, Region

if TYPE_CHECKING:
    from focusviewer.refocus.base import Encoded, Refocuser
    from focusviewer.slides import Slide

FloatMap = npt.NDArray[np.float32]
Span = tuple[int, int]

TILE_PX = 1024
OVERLAP_PX = 64
AUTO_TILES = 8
"""Most tiles that are studied to find the best focus of a region; studying is what takes time."""


@dataclass(frozen=True)
class View:
    """What is refocused: a region (x, y, width, height in level-0 pixels) seen through some planes of a slide."""

    slide: Slide
    box: tuple[int, int, int, int]
    planes: tuple[int, ...]
    planes_um: tuple[float, ...]
    mpp: float


@dataclass(frozen=True)
class Target:
    """Where to focus: one z for all, a z per pixel, the best single z (``auto``), or the tissue itself (``all``)."""

    kind: str
    z_um: float = 0.0
    map_um: FloatMap | None = None


@dataclass(frozen=True)
class Refocused:
    """The pixels, and the single z they were rendered at (None when it differs from pixel to pixel).

    ``plane`` is the plane that the pixels are, unchanged, where the target was an acquired one.
    """

    pixels: RGB
    z_um: float | None
    plane: int | None = None


@dataclass(frozen=True)
class _Tile:
    """A tile in pixels of the region; ``pads`` is the context around it (left, top, right, bottom)."""

    x: Span
    y: Span
    pads: tuple[int, int, int, int]


def refocus_view(
    view: View, engine: Refocuser, target: Target, on_progress: Callable[[float], None] | None = None
) -> Refocused:
    """Render a view at a target focus, tile by tile.

    Neighbouring tiles overlap by OVERLAP_PX and are cross-faded linearly there, so that an engine whose estimate
    of the tissue differs a little between tiles leaves no edge. Memory grows with the width of the region, not
    with its area (beyond the result itself).

    Raises
    ------
    SlideError
        If the region cannot be read.
    """
    _, _, width, height = view.box
    columns, rows = spans(width), spans(height)
    sampled = _sample([(x, y) for y in rows for x in columns]) if target.kind == "auto" else []
    total, done = len(columns) * len(rows) + len(sampled), 0
    kept: dict[_Tile, Encoded] = {}

    def step() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done / total)

    z_um = target.z_um if target.kind == "z" else None
    if target.kind == "auto":
        z_um, kept = _best_z(view, engine, sampled, step)
    acquired = _acquired_plane(view, z_um)
    if acquired is not None:
        # Engines return an acquired plane bit for bit: no need to study it first.
        return Refocused(view.slide.read_region(Region(0, *view.box, acquired)), z_um, acquired)
    output = np.empty((height, width, 3), np.uint8)
    tail: FloatMap | None = None
    for index, y in enumerate(rows):
        strip = np.zeros((y[1] - y[0], width, 3), np.float32)
        for x in columns:
            tile = _tile(view, engine, x, y)
            encoded = kept.get(tile) or _encode(view, engine, tile)
            rendered = engine.render(encoded, _target_of(engine, encoded, tile, target, z_um))
            left, top, right, bottom = tile.pads
            core = rendered[top : rendered.shape[0] - bottom, left : rendered.shape[1] - right]
            strip[:, x[0] : x[1]] += core * fade(x, width)[None, :, None]
            step()
        last = index == len(rows) - 1
        tail = _lay_down(output, strip, y, tail, None if last else rows[index + 1][0])
    return Refocused(output, z_um)


def spans(length: int, tile: int = TILE_PX, overlap: int = OVERLAP_PX) -> list[Span]:
    """Cut a length into overlapping spans of about equal size, each at most ``tile`` long."""
    count = max(1, -(-(length - overlap) // (tile - overlap)))
    if count == 1:
        return [(0, length)]
    core = (length - overlap) / count
    return [(round(i * core), length if i == count - 1 else round((i + 1) * core) + overlap) for i in range(count)]


def fade(span: Span, length: int, overlap: int = OVERLAP_PX) -> FloatMap:
    """Weights of a span: linear ramps where it overlaps a neighbour; those of all spans sum to 1 everywhere."""
    weights = np.ones(span[1] - span[0], np.float32)
    ramp = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
    if span[0] > 0:
        weights[:overlap] = ramp
    if span[1] < length:
        weights[-overlap:] = 1 - ramp
    return weights


def _lay_down(output: RGB, strip: FloatMap, y: Span, tail: FloatMap | None, next_start: int | None) -> FloatMap | None:
    """Put a strip of tiles into the output, faded into the strip above; return what the next one fades into."""
    if tail is not None:
        overlap = tail.shape[0]
        ramp = fade((y[0], y[1]), y[1], overlap)[:overlap, None, None]
        strip[:overlap] = tail * (1 - ramp) + strip[:overlap] * ramp
    stop = strip.shape[0] if next_start is None else next_start - y[0]
    output[y[0] : y[0] + stop] = np.clip(np.rint(strip[:stop]), 0, 255).astype(np.uint8)
    return None if next_start is None else strip[stop:].copy()


def _acquired_plane(view: View, z_um: float | None) -> int | None:
    """The plane of the slide that lies at a target, if one does."""
    if z_um is None:
        return None
    return next((p for p, at in zip(view.planes, view.planes_um, strict=True) if abs(at - z_um) < 1e-6), None)


def _sample(places: Sequence[tuple[Span, Span]]) -> list[tuple[Span, Span]]:
    """Up to AUTO_TILES places, spread evenly over all of them."""
    count = min(AUTO_TILES, len(places))
    return [places[(2 * index + 1) * len(places) // (2 * count)] for index in range(count)]


def _best_z(
    view: View, engine: Refocuser, places: Sequence[tuple[Span, Span]], step: Callable[[], None]
) -> tuple[float, dict[_Tile, Encoded]]:
    """The one z at which most of the view is sharpest; the encoding is kept when there is only one tile."""
    estimates: list[FloatMap] = []
    kept: dict[_Tile, Encoded] = {}
    for tile in (_tile(view, engine, x, y) for x, y in places):
        encoded = _encode(view, engine, tile)
        if len(places) == 1:
            kept[tile] = encoded
        estimates.append(np.ravel(encoded.blur_um[::4, ::4]) + np.float32(encoded.planes_um[0]))
        step()
    if kept:
        return float(encoded.best_z_um), kept
    return float(np.median(np.concatenate(estimates))), kept


def _tile(view: View, engine: Refocuser, x: Span, y: Span) -> _Tile:
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
    return _Tile(x, y, pads)


def _encode(view: View, engine: Refocuser, tile: _Tile) -> Encoded:
    return engine.encode(list(_read(view, tile)), view.mpp, view.planes_um)


def _read(view: View, tile: _Tile) -> Iterator[RGB]:
    left, top, right, bottom = tile.pads
    x, y = view.box[0] + tile.x[0] - left, view.box[1] + tile.y[0] - top
    width, height = tile.x[1] - tile.x[0] + left + right, tile.y[1] - tile.y[0] + top + bottom
    for plane in view.planes:
        yield view.slide.read_region(Region(0, x, y, width, height, plane))


def _target_of(engine: Refocuser, encoded: Encoded, tile: _Tile, target: Target, z_um: float | None) -> Any:
    """What to ask of the engine for one tile: float, or float32 (H, W) with the context."""
    if z_um is not None:
        return z_um
    if target.map_um is None:
        return engine.all_in_focus_target(encoded)
    left, top, right, bottom = tile.pads
    part = target.map_um[tile.y[0] : tile.y[1], tile.x[0] : tile.x[1]]
    return np.pad(part, ((top, bottom), (left, right)), mode="edge").astype(np.float32)
