"""Menus, toolbar and keys, made from the registry of commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QToolBar, QWidget

from focusviewer.app.services.actions import ActionRecord, ActionRegistry
from focusviewer.app.viewer import scales
from focusviewer.app.widgets.dialogs import native_keys
from focusviewer.app.widgets.theme import bind_icon

NEED_A_SLIDE = ("focus.", "compare.", "view.fit", "view.zoom", "view.actual", "view.preset", "view.plane")
NEED_A_SLIDE_TOO = frozenset({"file.close", "file.snapshot", "file.scale"})


class Menus:
    """The QActions of a window, by id, and where they appear."""

    def __init__(self, window: QMainWindow, picture: QWidget, registry: ActionRegistry) -> None:
        self._window, self._picture = window, picture
        self.actions = {record.id: self._make(record) for record in registry}
        for group, records in registry.groups().items():
            shown = [record for record in records if record.menu]
            if shown:
                self._add_menu(group, shown)

    def _make(self, record: ActionRecord) -> QAction:
        action = QAction(record.text, self._window)
        action.setObjectName(record.id)
        if record.icon:
            bind_icon(action, record.icon)
        action.setShortcuts([QKeySequence(key) for key in record.shortcuts])
        action.setCheckable(record.checkable)
        action.setChecked(record.checked)
        action.setToolTip(tip_of(record))
        if record.checkable:
            action.toggled.connect(record.callback)
        else:
            action.triggered.connect(lambda _checked=False, call=record.callback: call())
        if record.scope == "viewport":
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            self._picture.addAction(action)
        else:
            self._window.addAction(action)
        return action

    def _add_menu(self, group: str, records: Sequence[ActionRecord]) -> None:
        menu = self._window.menuBar().addMenu(f"&{group.capitalize()}")
        for record in records:
            if record.separator:
                menu.addSeparator()
            menu.addAction(self.actions[record.id])
        if group == "file":
            self.recent = menu.addMenu("Open &recent")
            self.recent.setToolTipsVisible(True)  # the folder tells files of one name apart
            menu.insertMenu(self.actions["file.close"], self.recent)

    def enable_group(self, group: str, on: bool) -> None:
        """Enable or disable all commands of a menu."""
        for name, action in self.actions.items():
            if name.startswith(f"{group}."):
                action.setEnabled(on)

    def add_toolbar(self, names: Sequence[str]) -> None:
        """Add the toolbar; an empty name is a separator."""
        bar = QToolBar("Toolbar")
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        for name in names:
            if name:
                bar.addAction(self.actions[name])
            else:
                bar.addSeparator()
        self._window.addToolBar(bar)

    def show_recent(self, paths: Sequence[str], open_: Callable[[Path], None]) -> None:
        """Fill the menu of recent files."""
        self.recent.clear()
        for text in paths:
            action = self.recent.addAction(Path(text).name.replace("&", "&&"))
            action.setToolTip(text)
            action.triggered.connect(lambda _checked=False, path=Path(text): open_(path))
        self.recent.setEnabled(bool(paths))

    def show_state(self, has_slide: bool, mpp: float | None) -> None:
        """Enable what makes sense now, and name the zoom presets."""
        for name, action in self.actions.items():
            if name.startswith((*NEED_A_SLIDE, "file.save_", "file.export_")) or name in NEED_A_SLIDE_TOO:
                action.setEnabled(has_slide)
        for index in range(len(scales.PRESETS)):
            self.actions[f"view.preset_{index + 1}"].setText(scales.preset_text(index, mpp if has_slide else 1.0))


def tip_of(record: ActionRecord) -> str:
    """Tool tip of a command, with its keys."""
    text = record.tip or record.text.replace("&", "").rstrip("…")
    keys = ", ".join(native_keys(record.shortcuts))
    return f"{text} ({keys})" if keys else text
