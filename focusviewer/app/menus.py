"""Where the commands appear: the menus, the toolbar and the shortcut sheet, each a list of keys."""

from __future__ import annotations

from focusviewer.app.viewer.scales import PRESETS

SEPARATOR = ""

PRESET_KEYS = tuple(f"view.preset_{index + 1}" for index in range(len(PRESETS)))

SAVE_REFOCUSED = ("file.save_refocused", "file.save_sweep", "file.export_view", "file.export_slide")
"""Also under the Refocus panel's Save button."""

MENUS: dict[str, tuple[str, ...]] = {
    "File": (
        "file.open",
        "file.open_folder",
        "file.open_worklist",
        "file.recent",
        "file.close",
        SEPARATOR,
        "file.snapshot",
        "file.copy_view",
        *SAVE_REFOCUSED,
        SEPARATOR,
        "file.scale",
        SEPARATOR,
        "file.quit",
    ),
    "View": (
        "view.fit",
        "view.zoom_in",
        "view.zoom_out",
        "view.actual",
        SEPARATOR,
        *PRESET_KEYS,
        SEPARATOR,
        "view.plane_up",
        "view.plane_down",
        SEPARATOR,
        "view.minimap",
        "view.scale_bar",
        "view.inertia",
        SEPARATOR,
        "view.slides",
        "view.worklist",
        "view.tools",
        SEPARATOR,
        "view.theme_system",
        "view.theme_light",
        "view.theme_dark",
    ),
    "Focus": (
        "focus.heatmap",
        "focus.stop",
        "focus.overlay",
        "focus.next_worst",
        SEPARATOR,
        "focus.refocus",
        "focus.auto",
        "focus.all_in_focus",
        "focus.nearer",
        "focus.farther",
        "focus.scan",
        "focus.defocus",
        "focus.sweep",
        "focus.confidence",
        SEPARATOR,
        "focus.paint",
        "focus.paint_here",
        "focus.paint_undo",
        "focus.brush_larger",
        "focus.brush_smaller",
    ),
    "Compare": (
        "compare.wipe",
        "compare.split",
        "compare.flicker",
        "compare.off",
        SEPARATOR,
        "compare.line_left",
        "compare.line_right",
        "compare.next",
        "compare.link",
    ),
    "Worklist": (
        "worklist.pass",
        "worklist.review",
        "worklist.rescan",
        "worklist.undo",
        "worklist.note",
        SEPARATOR,
        "worklist.next",
        "worklist.previous",
        "worklist.next_to_do",
        "worklist.open",
        SEPARATOR,
        "worklist.next_region",
        "worklist.previous_region",
        SEPARATOR,
        "worklist.find",
        "worklist.blinded",
        SEPARATOR,
        "worklist.reader",
        "worklist.close",
    ),
    "Help": (
        "help.help",
        "help.shortcuts",
        SEPARATOR,
        "help.about",
    ),
}
"""Menus with their commands; ``file.recent`` is the menu of recent files."""

MOVES = tuple(
    f"move.{name}" for name in ("left", "right", "up", "down", "page_up", "page_down", "page_left", "page_right")
)
"""Commands that have keys and stand in no menu."""

SHORTCUT_SHEET: dict[str, tuple[str, ...]] = {
    **{name: MENUS[name] for name in ("File", "View")},
    "Move": MOVES,
    **MENUS,
}
"""Groups of the sheet of keys; what is held or done with the mouse stands in ``widgets/dialogs.py``."""

TOOLBAR = (
    "file.open",
    SEPARATOR,
    "view.fit",
    "view.zoom_out",
    "view.zoom_in",
    "view.actual",
    SEPARATOR,
    "focus.heatmap",
    "focus.overlay",
    "focus.refocus",
    "focus.auto",
    "focus.all_in_focus",
    SEPARATOR,
    "compare.wipe",
    "compare.split",
    "compare.flicker",
    SEPARATOR,
    "file.snapshot",
    "help.shortcuts",
)
