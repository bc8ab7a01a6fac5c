"""The commands of refocusing."""

from __future__ import annotations

from functools import partial

from focusviewer.app.refocus.feature import RefocusFeature
from focusviewer.app.services.actions import ActionRecord

STEP_UM = 0.1


def refocus_actions(refocus: RefocusFeature) -> list[ActionRecord]:
    """All of them, in the order of the Focus menu."""
    return [
        ActionRecord(
            "focus.refocus",
            "Refocus the view",
            refocus.toggle,
            "refocus",
            ("R",),
            "Turn the focus of what is on screen",
            needs="slide",
        ),
        ActionRecord(
            "focus.auto",
            "Auto focus",
            refocus.auto_focus,
            "auto",
            ("A",),
            "Sharpest focus of this view",
            needs="slide",
        ),
        ActionRecord("focus.all_in_focus", "All in focus", refocus.all_in_focus, "layers", ("Shift+A",), needs="slide"),
        ActionRecord("focus.nearer", "Focus up 0.1 µm", partial(refocus.turn_knob, STEP_UM), "", (".",), needs="slide"),
        ActionRecord(
            "focus.farther", "Focus down 0.1 µm", partial(refocus.turn_knob, -STEP_UM), "", (",",), needs="slide"
        ),
        ActionRecord("focus.scan", "Back to the scan", refocus.show_scan, "undo", ("Shift+R",), needs="slide"),
        ActionRecord(
            "focus.defocus", "Blur on purpose", partial(refocus.enter, "defocus"), "", ("Shift+D",), needs="slide"
        ),
        ActionRecord(
            "focus.sweep",
            "Sweep the focus",
            refocus.toggle_sweep,
            "play",
            ("T",),
            "Play the focus there and back, or stop",
            needs="slide",
        ),
        ActionRecord(
            "focus.confidence",
            "Show what the scan does not bear out",
            refocus.toggle_confidence,
            "",
            ("E",),
            "Where the refocused picture, blurred back, does not give the scan",
            needs="slide",
        ),
    ]
