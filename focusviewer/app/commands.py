"""The commands of the main window: which there are, their texts, icons and keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from focusviewer.app.refocus.actions import compare_commands, refocus_commands, save_commands
from focusviewer.app.services.actions import ActionRecord, ActionRegistry
from focusviewer.app.viewer import scales
from focusviewer.app.worklist.actions import worklist_commands

if TYPE_CHECKING:
    from focusviewer.app.window import MainWindow

PAN_STEP = 0.15

TOOLBAR = (
    "file.open",
    "",
    "view.fit",
    "view.zoom_out",
    "view.zoom_in",
    "view.actual",
    "",
    "focus.heatmap",
    "focus.overlay",
    "focus.refocus",
    "focus.auto",
    "focus.all_in_focus",
    "",
    "compare.wipe",
    "compare.split",
    "compare.flicker",
    "",
    "file.snapshot",
    "help.shortcuts",
)
"""Commands of the toolbar; an empty name is a separator."""


def make_commands(window: MainWindow) -> ActionRegistry:
    """Register every command of the window."""
    registry = ActionRegistry()
    for make in (_file, _view, _move, _focus, refocus_commands, compare_commands, worklist_commands, _help):
        for record in make(window):
            registry.add(record)
    return registry


def _file(window: MainWindow) -> list[ActionRecord]:
    return [
        ActionRecord("file.open", "&Open…", window.ask_open, "open", ("Ctrl+O",), "Open slides, stacks or images"),
        ActionRecord("file.open_folder", "Open &folder…", window.ask_open_folder, "folder", ("Ctrl+Shift+O",)),
        ActionRecord(
            "file.open_worklist",
            "Open &worklist…",
            window.desk.ask_open,
            "open",
            ("Ctrl+Shift+L",),
            "Open what “focusviewer qc” has judged",
        ),
        ActionRecord("file.close", "&Close slide", window.close_current, "close", ("Ctrl+W",)),
        ActionRecord(
            "file.snapshot",
            "Save s&napshot of the view…",
            window.ask_snapshot,
            "camera",
            ("Ctrl+S",),
            "Save what the picture shows, with overlay and scale bar",
            separator=True,
        ),
        *save_commands(window),
        ActionRecord("file.scale", "Set sca&le…", window.ask_scale, "ruler", ("Ctrl+L",), separator=True),
        ActionRecord("file.quit", "&Quit", window.close, "exit", ("Ctrl+Q",), separator=True),
    ]


def _view(window: MainWindow) -> list[ActionRecord]:
    look, on = window.appearance, window.refocus_desk.compare.acting
    records = [
        ActionRecord("view.fit", "Whole slide", lambda: on().fit(), "fit", ("0", "Home"), "Show the whole slide"),
        ActionRecord("view.zoom_in", "Zoom in", lambda: on().zoom_by(1), "zoom-in", ("+", "=")),
        ActionRecord("view.zoom_out", "Zoom out", lambda: on().zoom_by(-1), "zoom-out", ("-",)),
        ActionRecord("view.actual", "Scanned pixels (1:1)", lambda: on().zoom_to(1.0), "actual", ("Ctrl+1",)),
    ]
    for index, power in enumerate(scales.PRESETS):
        callback = partial(window.zoom_preset, index)
        records.append(
            ActionRecord(
                f"view.preset_{index + 1}", f"{power:g}×", callback, "", (str(index + 1),), separator=index == 0
            )
        )
    records += [
        ActionRecord("view.plane_up", "Plane above", partial(window.turn_plane, 1), "plane-up", ("]",), separator=True),
        ActionRecord("view.plane_down", "Plane below", partial(window.turn_plane, -1), "plane-down", ("[",)),
        ActionRecord(
            "view.minimap",
            "Minimap",
            look.show_minimap,
            "minimap",
            ("M",),
            checkable=True,
            checked=window.settings.minimap,
            separator=True,
        ),
        ActionRecord(
            "view.scale_bar",
            "Scale bar",
            look.show_scale_bar,
            "scale-bar",
            ("B",),
            checkable=True,
            checked=window.settings.scale_bar,
        ),
        ActionRecord(
            "view.inertia",
            "Glide after dragging",
            look.set_inertia,
            checkable=True,
            checked=window.settings.inertia,
        ),
        ActionRecord("view.slides", "Slides panel", look.toggle_slides, "panel-left", ("F2",), separator=True),
        ActionRecord("view.worklist", "Worklist panel", look.toggle_worklist, "panel-left", ("F4",)),
        ActionRecord("view.tools", "Tools panel", look.toggle_tools, "panel-right", ("F3",)),
    ]
    for theme, text in (("system", "Colours as the system"), ("light", "Light colours"), ("dark", "Dark colours")):
        callback = partial(look.set_theme, theme)
        records.append(ActionRecord(f"view.theme_{theme}", text, callback, separator=theme == "system"))
    return records


def _move(window: MainWindow) -> list[ActionRecord]:
    moves = (
        ("left", "Look left", "Left", -PAN_STEP, 0.0),
        ("right", "Look right", "Right", PAN_STEP, 0.0),
        ("up", "Look up", "Up", 0.0, -PAN_STEP),
        ("down", "Look down", "Down", 0.0, PAN_STEP),
        ("page_up", "One screen up", "PgUp", 0.0, -0.9),
        ("page_down", "One screen down", "PgDown", 0.0, 0.9),
        ("page_left", "One screen left", "Shift+PgUp", -0.9, 0.0),
        ("page_right", "One screen right", "Shift+PgDown", 0.9, 0.0),
    )

    def pan(dx: float, dy: float) -> None:
        window.refocus_desk.compare.acting().pan_fraction(dx, dy)

    return [
        ActionRecord(
            f"move.{name}",
            text,
            partial(pan, dx, dy),
            shortcuts=(key,),
            scope="viewport",
            menu=False,
        )
        for name, text, key, dx, dy in moves
    ]


def _focus(window: MainWindow) -> list[ActionRecord]:
    focusing = window.focusing
    return [
        ActionRecord(
            "focus.heatmap",
            "Map the focus",
            focusing.run_heatmap,
            "heatmap",
            ("H",),
            "Map where the slide is blurred",
        ),
        ActionRecord("focus.stop", "Stop mapping", window.heatmap.stop, "stop", ("Shift+H",)),
        ActionRecord("focus.overlay", "Show or hide the map", focusing.toggle_overlay, "layers-eye", ("O",)),
        ActionRecord("focus.next_worst", "Next worst region", focusing.next_worst, "", ("N",)),
        ActionRecord(
            "focus.refocus",
            "Refocus the view",
            focusing.toggle_refocus,
            "refocus",
            ("R",),
            "Turn the focus of what is on screen",
            separator=True,
        ),
        ActionRecord("focus.auto", "Auto focus", focusing.auto_focus, "auto", ("A",), "Sharpest focus of this view"),
        ActionRecord("focus.all_in_focus", "All in focus", focusing.all_in_focus, "layers", ("Shift+A",)),
        ActionRecord("focus.nearer", "Focus up 0.1 µm", partial(focusing.turn_knob, 0.1), "", (".",)),
        ActionRecord("focus.farther", "Focus down 0.1 µm", partial(focusing.turn_knob, -0.1), "", (",",)),
        ActionRecord("focus.scan", "Back to the scan", focusing.show_scan, "undo", ("Shift+R",)),
    ]


def _help(window: MainWindow) -> list[ActionRecord]:
    return [
        ActionRecord("help.help", "Help", window.show_help, "help", ("F1",)),
        ActionRecord("help.shortcuts", "Keyboard and mouse", window.show_shortcuts, "keyboard", ("?",)),
        ActionRecord("help.about", "About FocusViewer", window.show_about, "info", separator=True),
    ]
