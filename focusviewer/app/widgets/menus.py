"""Menus, toolbar and keys, made from the registry of commands and lists of their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar, QWidget

from focusviewer.app.services.actions import ActionRecord, ActionRegistry, Needs, Switch
from focusviewer.app.services.binding import follow, signals_blocked
from focusviewer.app.services.plain import tooltip
from focusviewer.app.services.text import tr
from focusviewer.app.widgets.dialogs import native_keys
from focusviewer.app.widgets.theme import bind_icon

RECENT = "file.recent"
"""Stands in a menu for the menu of recent files."""


class Menus:
    """The QActions of a window, by key, and where they appear.

    Parameters
    ----------
    window : QMainWindow
        Whose menu bar is filled, and in which the keys work.
    picture : QWidget
        Where the keys of scope ``viewport`` work.
    """

    def __init__(self, window: QMainWindow, picture: QWidget, registry: ActionRegistry) -> None:
        self._window, self._picture, self._registry = window, picture, registry
        self.actions = {record.key: self._make(record) for record in registry}
        self.recent = QMenu(tr("Open &recent"), window)
        self.recent.setToolTipsVisible(True)  # the folder distinguishes files of the same name

    def _make(self, record: ActionRecord) -> QAction:
        action = QAction(tr(record.text), self._window)
        action.setObjectName(record.key)
        if record.icon:
            bind_icon(action, record.icon)
        action.setShortcuts([QKeySequence(key) for key in record.shortcuts])
        action.setToolTip(tip_of(record))
        if record.switch is not None:
            _bind_switch(action, record.switch)
        if record.callback is not None:
            action.triggered.connect(lambda _checked=False, call=record.callback: call())
        if record.scope == "viewport":
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            self._picture.addAction(action)
        else:
            self._window.addAction(action)
        return action

    def add_menus(self, menus: Mapping[str, Sequence[str]]) -> None:
        """Add menus to the menu bar: their names with the keys of their commands; an empty key is a separator."""
        for name, keys in menus.items():
            menu = self._window.menuBar().addMenu(tr(f"&{name}"))
            for key in keys:
                if key == RECENT:
                    menu.addMenu(self.recent)
                elif key:
                    menu.addAction(self.actions[key])
                else:
                    menu.addSeparator()

    def add_toolbar(self, keys: Iterable[str]) -> None:
        """Add the toolbar; an empty key is a separator."""
        bar = QToolBar("Toolbar")
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        for key in keys:
            if key:
                bar.addAction(self.actions[key])
            else:
                bar.addSeparator()
        self._window.addToolBar(bar)

    def enable(self, needs: Needs, on: bool) -> None:
        """Enable or disable the commands that need something to be open."""
        for record in self._registry:
            if record.needs == needs:
                self.actions[record.key].setEnabled(on)

    def show_recent(self, paths: Sequence[str], open_: Callable[[Path], None]) -> None:
        """Fill the menu of recent files."""
        self.recent.clear()
        for text in paths:
            action = self.recent.addAction(Path(text).name.replace("&", "&&"))
            action.setToolTip(tooltip(text))
            action.triggered.connect(lambda _checked=False, path=Path(text): open_(path))
        self.recent.setEnabled(bool(paths))


def _bind_switch(action: QAction, switch: Switch) -> None:
    """Keep a checkable command and the field that it switches equal."""
    action.setCheckable(True)

    def show(value: object) -> None:
        with signals_blocked(action):
            action.setChecked(value == switch.on)
        action.changed.emit()  # menus and buttons paint it anew

    def toggled(on: bool) -> None:
        if on or getattr(switch.state, switch.name) == switch.on:
            setattr(switch.state, switch.name, switch.on if on else switch.off)

    follow(switch.state, switch.name, show)
    action.toggled.connect(toggled)


def plain_text(record: ActionRecord) -> str:
    """Name of a command without the signs of a menu."""
    return tr(record.text).replace("&", "").rstrip("…")


def tip_of(record: ActionRecord) -> str:
    """Tool tip of a command, with its keys."""
    text = tr(record.tip) or plain_text(record)
    keys = ", ".join(native_keys(record.shortcuts))
    return f"{text} ({keys})" if keys else text
