"""The commands of the picture: zoom, planes, moving by keys, and what is shown around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from focusviewer.app.services.actions import ActionRecord, Switch
from focusviewer.app.viewer import scales
from focusviewer.app.viewer.state import ViewState
from focusviewer.app.viewer.viewport import Viewport

if TYPE_CHECKING:
    from focusviewer.app.viewer.feature import ViewerFeature

PAN_STEP = 0.15
PAGE = 0.9

MOVES = (
    ("left", "Look left", "Left", -PAN_STEP, 0.0),
    ("right", "Look right", "Right", PAN_STEP, 0.0),
    ("up", "Look up", "Up", 0.0, -PAN_STEP),
    ("down", "Look down", "Down", 0.0, PAN_STEP),
    ("page_up", "One screen up", "PgUp", 0.0, -PAGE),
    ("page_down", "One screen down", "PgDown", 0.0, PAGE),
    ("page_left", "One screen left", "Shift+PgUp", -PAGE, 0.0),
    ("page_right", "One screen right", "Shift+PgDown", PAGE, 0.0),
)
THEMES = (("system", "Colours as the system"), ("light", "Light colours"), ("dark", "Dark colours"))


def viewer_actions(viewer: ViewerFeature, active: Callable[[], Viewport]) -> list[ActionRecord]:
    """All of them; ``active`` gives the picture that the keys work on."""
    return [*_zoom(viewer, active), *_planes(viewer), *_around(viewer.state), *_moves(active)]


def _zoom(viewer: ViewerFeature, on: Callable[[], Viewport]) -> list[ActionRecord]:
    records = [
        ActionRecord("view.fit", "Whole slide", lambda: on().fit(), "fit", ("0", "Home"), "Show the whole slide"),
        ActionRecord("view.zoom_in", "Zoom in", lambda: on().zoom_by(1), "zoom-in", ("+", "=")),
        ActionRecord("view.zoom_out", "Zoom out", lambda: on().zoom_by(-1), "zoom-out", ("-",)),
        ActionRecord("view.actual", "Scanned pixels (1:1)", lambda: on().zoom_to(1.0), "actual", ("Ctrl+1",)),
    ]
    for index, power in enumerate(scales.PRESETS):
        callback = partial(viewer.zoom_preset, index)
        records.append(ActionRecord(f"view.preset_{index + 1}", f"{power:g}×", callback, "", (str(index + 1),)))
    return [_with_slide(record) for record in records]


def _planes(viewer: ViewerFeature) -> list[ActionRecord]:
    records = [
        ActionRecord("view.plane_up", "Plane above", partial(viewer.turn_plane, 1), "plane-up", ("]",)),
        ActionRecord("view.plane_down", "Plane below", partial(viewer.turn_plane, -1), "plane-down", ("[",)),
    ]
    return [_with_slide(record) for record in records]


def _around(state: ViewState) -> list[ActionRecord]:
    switches = [
        ActionRecord("view.minimap", "Minimap", None, "minimap", ("M",), switch=Switch(state, "minimap")),
        ActionRecord("view.scale_bar", "Scale bar", None, "scale-bar", ("B",), switch=Switch(state, "scale_bar")),
        ActionRecord("view.inertia", "Glide after dragging", switch=Switch(state, "inertia")),
    ]
    themes = [ActionRecord(f"view.theme_{name}", text, partial(setattr, state, "theme", name)) for name, text in THEMES]
    return switches + themes


def _moves(on: Callable[[], Viewport]) -> list[ActionRecord]:
    def pan(dx: float, dy: float) -> None:
        on().pan_fraction(dx, dy)

    return [
        ActionRecord(f"move.{name}", text, partial(pan, dx, dy), shortcuts=(key,), scope="viewport")
        for name, text, key, dx, dy in MOVES
    ]


def _with_slide(record: ActionRecord) -> ActionRecord:
    return replace(record, needs="slide")
