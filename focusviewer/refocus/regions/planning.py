"""Deciding what is to be rendered where a request depends on what is in the view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

import numpy as np

from focusviewer.core.arrays import FloatMap
from focusviewer.core.cancel import stop_if
from focusviewer.refocus.base import Encoded, Refocuser, acquired_plane
from focusviewer.refocus.evidence.unevenness import LeftOut, left_out
from focusviewer.refocus.modes import RefocusRequest, check_defocus, check_request, reach_um
from focusviewer.refocus.regions.layout import Tile, View, read_tile, tile_at, tile_px
from focusviewer.refocus.spans import Span, spans

OnTile = Callable[[], None]

ENCODED_PX = 512
ENCODED_PLACES = 8
"""Places, and their size, that are encoded to find the best focus of a large region."""

_CANDIDATES = 32
_LOOK_PX = 128


@dataclass(frozen=True)
class Plan:
    """A request that no longer depends on what is in the view.

    Attributes
    ----------
    request : RefocusRequest
        ``refocus`` or ``assume`` to one z, or a map, or ``all-in-focus``.
    plane : int or None
        The acquired plane that fulfils it as it is.
    kept : dict
        Tiles that were encoded to find it.
    left_out : LeftOut or None
        Tissue that the one focus leaves out, where it was looked for and found.
    """

    request: RefocusRequest
    plane: int | None
    kept: dict[Tile, Encoded]
    left_out: LeftOut | None = None


def make_plan(
    view: View, engine: Refocuser, request: RefocusRequest, on_tile: OnTile | None = None, cancel: Event | None = None
) -> Plan:
    """Decide what is to be rendered, looking at the view where the request depends on it.

    Raises
    ------
    SlideError, UserError, CancelledError
        As :func:`refocus_view`.
    """
    check_request(request, view.planes_um, engine.max_z_um)
    if request.map_um is not None or request.mode == "all-in-focus":
        return Plan(request, None, {})
    kept: dict[Tile, Encoded] = {}
    z_um, left = request.z_um, None
    if _depends_on_view(view, request):
        encoded_places, kept = _encode_places(view, engine, on_tile, cancel)
        if z_um is None:
            from focusviewer.refocus.auto import best_z_of_places

            z_um = best_z_of_places(engine, encoded_places, *reach_um(view.planes_um, engine.max_z_um), cancel)
            left = left_out(encoded_places, z_um)
        else:
            depth = float(np.median(np.concatenate([_depths(encoded) for encoded in encoded_places])))
            check_defocus(z_um, depth, view.planes_um)
    mode = "assume" if request.mode == "assume" else "refocus"
    return Plan(RefocusRequest(mode, z_um), plane_at(view, z_um), kept, left)


def _depends_on_view(view: View, request: RefocusRequest) -> bool:
    """Whether the view has to be encoded to find the z, or to check it."""
    return request.z_um is None or (request.mode == "defocus" and plane_at(view, request.z_um) is None)


def count_tiles(view: View, request: RefocusRequest) -> int:
    """How many tiles a view takes, those that are only encoded included."""
    side = tile_px(len(view.planes))
    tiles = len(spans(view.box[2], side)) * len(spans(view.box[3], side))
    studies = request.mode in ("deblur", "defocus") and _depends_on_view(view, request)
    return tiles + (min(ENCODED_PLACES, tiles) if studies else 0)


def plane_at(view: View, z_um: float | None) -> int | None:
    """The plane of the slide that lies at a target, if one does."""
    index = None if z_um is None else acquired_plane(view.planes_um, z_um)
    return None if index is None else view.planes[index]


def _encode_places(
    view: View, engine: Refocuser, on_tile: OnTile | None, cancel: Event | None
) -> tuple[list[Encoded], dict[Tile, Encoded]]:
    """Encode the view, or the places of a large one with most contrast; what rendering can use again is kept."""
    side = tile_px(len(view.planes))
    _, _, width, height = view.box
    columns, rows = spans(width, side), spans(height, side)
    if len(columns) * len(rows) == 1:
        places = [tile_at(view, engine, columns[0], rows[0])]
    else:
        places = _telling_places(view, min(ENCODED_PLACES, len(columns) * len(rows)))
    encoded_places: list[Encoded] = []
    for tile in places:
        stop_if(cancel)
        images = [read_tile(view, tile, plane) for plane in view.planes]
        encoded_places.append(engine.encode(images, view.mpp, view.planes_um, profile=view.profile))
        if on_tile is not None:
            on_tile()
    return encoded_places, {places[0]: encoded_places[0]} if len(columns) * len(rows) == 1 else {}


def _telling_places(view: View, count: int) -> list[Tile]:
    """Squares spread over the view, those with most contrast in their middle: empty glass does not show the focus."""
    _, _, width, height = view.box
    across = min(max(1, round(np.sqrt(_CANDIDATES * width / height))), _CANDIDATES)
    down = max(1, _CANDIDATES // across)
    sides = min(ENCODED_PX, width), min(ENCODED_PX, height)
    found: list[tuple[float, Tile]] = []
    for row in range(down):
        for column in range(across):
            x = round((column + 0.5) / across * width - sides[0] / 2)
            y = round((row + 0.5) / down * height - sides[1] / 2)
            x, y = min(max(x, 0), width - sides[0]), min(max(y, 0), height - sides[1])
            tile = Tile((x, x + sides[0]), (y, y + sides[1]), (0, 0, 0, 0))
            middle = Tile(_middle(tile.x), _middle(tile.y), (0, 0, 0, 0))
            look = read_tile(view, middle, view.planes[len(view.planes) // 2])
            found.append((float(look.mean(axis=2).std()), tile))
    best = sorted(range(len(found)), key=lambda index: -found[index][0])[:count]
    return [found[index][1] for index in sorted(best)]


def _middle(span: Span) -> Span:
    half = min(_LOOK_PX, span[1] - span[0]) // 2
    centre = (span[0] + span[1]) // 2
    return centre - half, centre + half


def _depths(encoded: Encoded) -> FloatMap:
    return np.asarray(np.ravel(encoded.blur_um[::4, ::4]) + np.float32(encoded.planes_um[0]), np.float32)
