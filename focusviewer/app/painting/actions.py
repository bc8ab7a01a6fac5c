"""The commands of painting a focus map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from focusviewer.app.painting.controller import MODE, PaintController
from focusviewer.app.services.actions import ActionRecord

LARGER, SMALLER = 1.25, 0.8


def painting_actions(painting: PaintController, enter: Callable[[str], None]) -> list[ActionRecord]:
    """All of them; ``enter`` turns refocusing to a mode."""
    return [
        ActionRecord(
            "focus.paint",
            "Paint a focus map",
            partial(enter, MODE),
            "brush",
            ("D",),
            "Give every place the focus you paint",
            needs="slide",
        ),
        ActionRecord(
            "focus.paint_here",
            "Paint at the middle",
            painting.paint_middle,
            shortcuts=("Return",),
            needs="slide",
            scope="viewport",
        ),
        ActionRecord("focus.paint_undo", "Take back the last stroke", painting.undo, "", ("U",), needs="slide"),
        ActionRecord(
            "focus.brush_larger", "Larger brush", partial(painting.state.resize, LARGER), "", ("Ctrl+]",), needs="slide"
        ),
        ActionRecord(
            "focus.brush_smaller",
            "Smaller brush",
            partial(painting.state.resize, SMALLER),
            "",
            ("Ctrl+[",),
            needs="slide",
        ),
    ]
