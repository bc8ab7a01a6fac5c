"""What is shown and in which colours: switches that are remembered."""

from __future__ import annotations

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow

from focusviewer.app.services.settings import Settings
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets import theme


class Appearance:
    """Applies the settings of the View menu."""

    def __init__(
        self, settings: Settings, viewport: Viewport, slides: QDockWidget, tools: QDockWidget, worklist: QDockWidget
    ) -> None:
        self._settings, self._viewport, self._slides, self._tools = settings, viewport, slides, tools
        self._worklist = worklist
        viewport.inertia = settings.inertia
        viewport.minimap.visible = settings.minimap
        viewport.scale_bar.visible = settings.scale_bar

    def restore_layout(self, window: QMainWindow) -> None:
        """Put the window and its panels where they were; the worklist's waits until there is one to show."""
        if self._settings.geometry:
            window.restoreGeometry(QByteArray.fromBase64(self._settings.geometry.encode()))
        if self._settings.layout:
            window.restoreState(QByteArray.fromBase64(self._settings.layout.encode()))
        self._worklist.hide()

    def keep_layout(self, window: QMainWindow) -> None:
        """Remember where the window and its panels are."""
        self._settings.geometry = bytes(window.saveGeometry().toBase64().data()).decode()
        self._settings.layout = bytes(window.saveState().toBase64().data()).decode()

    def show_minimap(self, on: bool) -> None:
        """Show or hide the minimap."""
        self._settings.minimap = self._viewport.minimap.visible = on
        self._viewport.update()

    def show_scale_bar(self, on: bool) -> None:
        """Show or hide the scale bar."""
        self._settings.scale_bar = self._viewport.scale_bar.visible = on
        self._viewport.update()

    def set_inertia(self, on: bool) -> None:
        """Let the picture glide after dragging, or not."""
        self._settings.inertia = self._viewport.inertia = on

    def toggle_slides(self) -> None:
        """Show or hide the left panel."""
        self._slides.setVisible(not self._slides.isVisible())

    def toggle_tools(self) -> None:
        """Show or hide the right panel."""
        self._tools.setVisible(not self._tools.isVisible())

    def toggle_worklist(self) -> None:
        """Show or hide the worklist's panel."""
        self._worklist.setVisible(not self._worklist.isVisible())
        self._worklist.raise_()

    def set_theme(self, name: str) -> None:
        """Choose the colours of the window: light, dark, or as the system."""
        self._settings.theme = name
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply_theme(app, name)
