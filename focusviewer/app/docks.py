"""The docks around the picture: shown, hidden and remembered."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from focusviewer.app.services.actions import ActionRecord
from focusviewer.app.services.settings import Settings
from focusviewer.app.services.text import tr
from focusviewer.app.widgets.common import Section

LEFT_WIDTH = 210
TOOLS_WIDTH = 330


class ToolsPanel(QScrollArea):
    """Foldable sections, one below the other."""

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for section in sections:
            column.addWidget(section)
        column.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(TOOLS_WIDTH)


class Docks:
    """Slides and worklist on the left, as tabs; the tools on the right."""

    def __init__(self, window: QMainWindow, slides: QWidget, worklist: QWidget, tools: QWidget) -> None:
        self._window = window
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        self.slides = self._add("Slides", "slides", slides, left)
        self.worklist = self._add("Worklist", "worklist", worklist, left)
        window.tabifyDockWidget(self.slides, self.worklist)
        self.tools = self._add("Tools", "tools", tools, right)
        window.resizeDocks([self.slides, self.tools], [LEFT_WIDTH, TOOLS_WIDTH], Qt.Orientation.Horizontal)

    def _add(self, title: str, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(tr(title), self._window)
        dock.setObjectName(name)
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        self._window.addDockWidget(area, dock)
        return dock

    def restore(self, settings: Settings) -> None:
        """Put the window and its panels where they were; the worklist's panel stays hidden until one is open."""
        if settings.geometry:
            self._window.restoreGeometry(QByteArray.fromBase64(settings.geometry.encode()))
        if settings.layout:
            self._window.restoreState(QByteArray.fromBase64(settings.layout.encode()))
        self.worklist.hide()

    def keep(self, settings: Settings) -> None:
        """Remember where the window and its panels are."""
        settings.geometry = bytes(self._window.saveGeometry().toBase64().data()).decode()
        settings.layout = bytes(self._window.saveState().toBase64().data()).decode()

    def show_worklist(self, is_open: bool, width: int) -> None:
        """Bring the worklist to the front, at least so wide; or hide its panel, if another one is in front."""
        dock = self.worklist
        if is_open:
            dock.show()
            dock.raise_()
            self._window.resizeDocks([dock], [max(width, dock.width())], Qt.Orientation.Horizontal)
        elif not dock.widget().isVisible():
            dock.hide()

    def actions(self) -> list[ActionRecord]:
        """The commands that show and hide panels."""
        return [
            ActionRecord("view.slides", "Slides panel", self._toggle_slides, "panel-left", ("F2",)),
            ActionRecord("view.worklist", "Worklist panel", self._toggle_worklist, "panel-left", ("F4",)),
            ActionRecord("view.tools", "Tools panel", self._toggle_tools, "panel-right", ("F3",)),
        ]

    def _toggle_slides(self) -> None:
        self.slides.setVisible(not self.slides.isVisible())

    def _toggle_worklist(self) -> None:
        self.worklist.setVisible(not self.worklist.isVisible())
        self.worklist.raise_()

    def _toggle_tools(self) -> None:
        self.tools.setVisible(not self.tools.isVisible())
