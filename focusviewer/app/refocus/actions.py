"""The commands of refocusing and comparing: their texts, icons and keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from focusviewer.app.services.actions import ActionRecord

if TYPE_CHECKING:
    from focusviewer.app.window import MainWindow


def save_commands(window: MainWindow) -> list[ActionRecord]:
    """What of refocusing can be saved: records of the File menu."""
    desk = window.refocus_desk
    return [
        ActionRecord(
            "file.save_refocused",
            "Save &refocused picture…",
            desk.ask_save_refocused,
            "save",
            ("Ctrl+Shift+S",),
            "Save the refocused view as PNG or TIFF",
        ),
        ActionRecord(
            "file.save_sweep",
            "Save s&weep…",
            desk.ask_save_sweep,
            "",
            ("Ctrl+T",),
            "Save a sweep of the focus as GIF or WebP",
        ),
        ActionRecord(
            "file.export_view",
            "Save region as &pyramidal OME-TIFF…",
            partial(desk.ask_export, whole=False),
            shortcuts=("Ctrl+E",),
            tip="Save what is on screen, refocused at full resolution",
        ),
        ActionRecord(
            "file.export_slide",
            "Save whole slide as p&yramidal OME-TIFF…",
            partial(desk.ask_export, whole=True),
            shortcuts=("Ctrl+Shift+E",),
            tip="Save the whole slide, refocused at full resolution",
        ),
    ]


def refocus_commands(window: MainWindow) -> list[ActionRecord]:
    """What the Focus menu ends with."""
    desk, focusing = window.refocus_desk, window.focusing
    panel = window.refocus_panel
    return [
        ActionRecord("focus.defocus", "Blur on purpose", partial(focusing.enter, "defocus"), "", ("Shift+D",)),
        ActionRecord(
            "focus.sweep",
            "Sweep the focus",
            focusing.opened(desk.sweep.toggle),
            "play",
            ("T",),
            "Play the focus there and back, or stop",
        ),
        ActionRecord(
            "focus.trust",
            "Show what the scan does not bear out",
            focusing.opened(panel.trust.switch.toggle),
            "",
            ("E",),
            "Where the refocused picture, blurred back, does not give the scan",
        ),
        ActionRecord(
            "focus.paint",
            "Paint a focus map",
            partial(focusing.enter, "paint"),
            "brush",
            ("D",),
            "Give every place the focus you paint",
            separator=True,
        ),
        ActionRecord(
            "focus.paint_here",
            "Paint at the middle",
            desk.painting.paint_middle,
            shortcuts=("Return",),
            scope="viewport",
        ),
        ActionRecord("focus.paint_undo", "Take back the last stroke", desk.painting.undo, "", ("U",)),
        ActionRecord("focus.brush_larger", "Larger brush", partial(desk.painting.resize, 1.25), "", ("Ctrl+]",)),
        ActionRecord("focus.brush_smaller", "Smaller brush", partial(desk.painting.resize, 0.8), "", ("Ctrl+[",)),
    ]


def compare_commands(window: MainWindow) -> list[ActionRecord]:
    """Records of the Compare menu, in its order."""
    compare = window.refocus_desk.compare
    return [
        ActionRecord(
            "compare.wipe",
            "Wipe",
            partial(compare.toggle, "wipe"),
            "wipe",
            ("C",),
            "Scan and refocused picture, with a line to drag between them",
            checkable=True,
        ),
        ActionRecord(
            "compare.split",
            "Split",
            partial(compare.toggle, "split"),
            "split",
            ("S",),
            "A second picture: refocused, another plane or another slide",
            checkable=True,
        ),
        ActionRecord(
            "compare.flicker",
            "Flicker",
            partial(compare.toggle, "flicker"),
            "flicker",
            ("F",),
            "Scan and refocused picture in turn",
            checkable=True,
        ),
        ActionRecord("compare.off", "Compare no more", compare.stop, "", ("Shift+C",)),
        ActionRecord(
            "compare.line_left",
            "Line to the left",
            partial(compare.move_wipe, -1),
            "",
            ("Shift+Left",),
            separator=True,
        ),
        ActionRecord("compare.line_right", "Line to the right", partial(compare.move_wipe, 1), "", ("Shift+Right",)),
        ActionRecord(
            "compare.next", "Show the next beside", compare.next_content, "", ("Shift+S",), "Split: next plane or slide"
        ),
        ActionRecord("compare.link", "Move together or apart", compare.bar.link.toggle, "", ("L",)),
    ]
