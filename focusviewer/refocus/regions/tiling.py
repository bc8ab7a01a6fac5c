"""Refocusing a region of any size: overlapping tiles, blended without seams, finished from the top down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.cancel import stop_if
from focusviewer.refocus.base import SAME_Z_UM, Encoded, Refocuser
from focusviewer.refocus.evidence.unevenness import LeftOut
from focusviewer.refocus.modes import RefocusRequest, check_request, encoded_for, target_of
from focusviewer.refocus.regions.layout import Tile, View, map_part, read_tile, tile_at, tile_px
from focusviewer.refocus.regions.planning import OnTile, Plan, count_tiles, make_plan
from focusviewer.refocus.spans import OVERLAP_PX, TILE_PX, Span, fade, spans

__all__ = [
    "OVERLAP_PX",
    "TILE_PX",
    "Observer",
    "Refocused",
    "Span",
    "Tile",
    "View",
    "fade",
    "refocus_view",
    "render_each",
    "rendered_rows",
    "spans",
]

Observer = Callable[[Tile, Encoded, list[RGB], RGB, "float | FloatMap"], None]


@dataclass(frozen=True)
class Refocused:
    """The pixels, and the single z they were rendered at (None when it differs from pixel to pixel).

    ``plane`` is the plane that the pixels are, unchanged, where the target was an acquired one. ``left_out`` is the
    tissue that it leaves out of focus, where the best one of the view was asked for.
    """

    pixels: RGB
    z_um: float | None
    plane: int | None = None
    left_out: LeftOut | None = None


def refocus_view(
    view: View,
    engine: Refocuser,
    request: RefocusRequest,
    on_progress: Callable[[float], None] | None = None,
    cancel: Event | None = None,
    observe: Observer | None = None,
) -> Refocused:
    """Render a view at a target focus, tile by tile.

    Neighbouring tiles overlap by OVERLAP_PX and are cross-faded linearly there, so that an engine whose estimate
    of the tissue differs a little between tiles leaves no edge.

    Parameters
    ----------
    request : RefocusRequest
        A map of another size than the region is stretched over it.
    on_progress : callable, optional
        Given the fraction that is done.
    cancel : threading.Event, optional
        Looked at before every tile.
    observe : callable, optional
        Given every tile with its encoding, planes, rendered pixels (with their context) and target.

    Raises
    ------
    SlideError
        If the region cannot be read.
    UserError
        If the request cannot be fulfilled.
    CancelledError
        If ``cancel`` is set.
    """
    step = stepper(view, request, on_progress)
    plan = make_plan(view, engine, request, step, cancel)
    _, _, width, height = view.box
    output = np.empty((height, width, 3), np.uint8)
    for top, rows in rendered_rows(view, engine, plan, step, cancel, observe):
        output[top : top + rows.shape[0]] = rows
    return Refocused(output, plan.request.z_um, plan.plane, plan.left_out)


def rendered_rows(
    view: View,
    engine: Refocuser,
    plan: Plan,
    on_tile: OnTile | None = None,
    cancel: Event | None = None,
    observe: Observer | None = None,
) -> Iterator[tuple[int, RGB]]:
    """The finished picture from the top down, as (first row, uint8 (h, W, 3)).

    Memory grows with the width of the region, never with its height.

    Raises
    ------
    SlideError, UserError, CancelledError
        As :func:`refocus_view`.
    """

    def paint(tile: Tile) -> RGB:
        return _tile_pixels(view, engine, plan, tile, observe)[None]

    for top, rows in _blended(view, engine, 1, paint, on_tile, cancel):
        yield top, rows[0]


def render_each(
    view: View,
    engine: Refocuser,
    targets_um: Sequence[float],
    on_progress: Callable[[float], None] | None = None,
    cancel: Event | None = None,
    look: Callable[[Encoded], None] | None = None,
    mode: str = "refocus",
) -> RGB:
    """Render a view at several targets, encoding each tile once: uint8 (T, H, W, 3).

    ``look`` is given the encoding of every tile, ``mode`` is ``refocus`` or ``assume``; the others are as for
    :func:`refocus_view`.

    Raises
    ------
    SlideError, UserError, CancelledError
        As :func:`refocus_view`.
    """
    requests = [RefocusRequest(mode, z_um) for z_um in targets_um]
    for request in requests:
        check_request(request, view.planes_um, engine.max_z_um)

    def paint(tile: Tile) -> RGB:
        images = [read_tile(view, tile, plane) for plane in view.planes]
        encoded = engine.encode(images, view.mpp, view.planes_um, profile=view.profile)
        if look is not None:
            look(encoded)
        made = []
        for request in requests:
            taken = encoded_for(engine, encoded, request)
            made.append(tile.core(engine.render(taken, target_of(engine, taken, request))))
        return np.stack(made)

    _, _, width, height = view.box
    output = np.empty((len(targets_um), height, width, 3), np.uint8)
    step = stepper(view, RefocusRequest("refocus", 0.0), on_progress)
    for top, rows in _blended(view, engine, len(targets_um), paint, step, cancel):
        output[:, top : top + rows.shape[1]] = rows
    return output


def _blended(
    view: View,
    engine: Refocuser,
    pictures: int,
    paint: Callable[[Tile], RGB],
    on_tile: OnTile | None,
    cancel: Event | None,
) -> Iterator[tuple[int, RGB]]:
    """Finished rows of several pictures at once, uint8 (T, h, W, 3); ``paint`` gives the cores of a tile (T, h, w, 3).

    Neighbours are cross-faded in a strip as wide as the region, and a strip into the one above.
    """
    _, _, width, height = view.box
    side = tile_px(len(view.planes))
    columns, rows = spans(width, side), spans(height, side)
    tail: RGB | None = None
    for index, y in enumerate(rows):
        strip = np.empty((pictures, y[1] - y[0], width, 3), np.uint8)
        done = 0
        for x in columns:
            stop_if(cancel)
            cores = paint(tile_at(view, engine, x, y))
            strip[:, :, done : x[1]] = cores[:, :, done - x[0] :]
            if done > x[0]:
                strip[:, :, x[0] : done] = _cross_fade(strip[:, :, x[0] : done], cores[:, :, : done - x[0]], axis=2)
            done = x[1]
            if on_tile is not None:
                on_tile()
        if tail is not None:
            strip[:, : tail.shape[1]] = _cross_fade(tail, strip[:, : tail.shape[1]], axis=1)
        stop = strip.shape[1] if index == len(rows) - 1 else rows[index + 1][0] - y[0]
        tail = strip[:, stop:].copy()
        yield y[0], strip[:, :stop]


def stepper(view: View, request: RefocusRequest, on_progress: Callable[[float], None] | None) -> OnTile:
    """Count tiles that are done, and report the fraction."""
    total, done = count_tiles(view, request), 0

    def step() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(min(1.0, done / total))

    return step


def _cross_fade(before: RGB, after: RGB, axis: int) -> RGB:
    """From some pictures of a place to others, linearly along an axis."""
    length = before.shape[axis]
    ramp = (np.arange(length, dtype=np.float32) + 0.5) / length
    ramp = np.expand_dims(ramp, [other for other in range(before.ndim) if other != axis])
    return np.asarray(np.rint(before * (1 - ramp) + after * ramp), dtype=np.uint8)


def _tile_pixels(view: View, engine: Refocuser, plan: Plan, tile: Tile, observe: Observer | None) -> RGB:
    """Rendered pixels of a tile without its context."""
    if plan.plane is not None:
        # Engines return an acquired plane bit for bit: no need to encode it first.
        return read_tile(view, replace(tile, pads=(0, 0, 0, 0)), plan.plane)
    images = [read_tile(view, tile, plane) for plane in view.planes]
    encoded = plan.kept.get(tile) or engine.encode(images, view.mpp, view.planes_um, profile=view.profile)
    request = plan.request
    if request.map_um is not None:
        request = replace(request, map_um=map_part(request.map_um, view, tile))
    encoded = encoded_for(engine, encoded, request)
    target = target_of(engine, encoded, request)
    rendered = engine.render(encoded, target)
    if isinstance(target, np.ndarray):
        rendered = _with_acquired(rendered, images, view.planes_um, target)
    if observe is not None:
        observe(tile, encoded, images, rendered, target)
    return tile.core(rendered)


def _with_acquired(rendered: RGB, images: list[RGB], planes_um: tuple[float, ...], target: FloatMap) -> RGB:
    """Give back the acquired pixels where the map asks for just their focus."""
    for pixels, z_um in zip(images, planes_um, strict=True):
        same = np.abs(target - np.float32(z_um)) < SAME_Z_UM
        if same.any():
            rendered = np.where(same[..., None], pixels, rendered)
    return rendered
