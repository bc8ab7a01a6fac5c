"""The picture of the slide: the viewport, its planes, and what is shown around it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QApplication

from focusviewer.app.services.binding import follow
from focusviewer.app.services.settings import Settings
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.viewer import scales
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.plane_panel import PlanePanel
from focusviewer.app.viewer.state import ViewState
from focusviewer.app.viewer.tools import ToolBox
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets import theme
from focusviewer.app.widgets.common import Section


class ViewerFeature(QObject):
    """Shows one document and turns through its planes.

    Signals
    -------
    plane_changed : another acquired plane is shown
    scale_requested : the user wants to say how far the planes lie apart
    """

    plane_changed = Signal()
    scale_requested = Signal()

    def __init__(self, tiles: TileSource, settings: Settings, tools: ToolBox) -> None:
        super().__init__()
        self.state = ViewState.of(settings)
        self._settings = settings
        self.viewport = Viewport(tiles, tools)
        self.plane_panel = PlanePanel()
        self.plane_section = Section("Focal plane", self.plane_panel)
        self.viewport.plane_turned.connect(self.turn_plane)
        self.plane_panel.plane_chosen.connect(self.set_plane)
        self.plane_panel.scale_requested.connect(self.scale_requested)
        follow(self.state, "minimap", self._show_minimap)
        follow(self.state, "scale_bar", self._show_scale_bar)
        follow(self.state, "inertia", self._set_inertia)
        self.state.events.theme.connect(self._set_theme)

    def show_document(self, document: Document | None) -> None:
        """Show another slide."""
        self.viewport.show_document(document)
        self.plane_section.setVisible(document is not None and len(document.planes_um) > 1)
        self._show_plane()

    # --- zoom and planes -----------------------------------------------------------------------------------

    def zoom_preset(self, index: int) -> None:
        """Zoom to one of the presets."""
        document = self.viewport.document
        if document is not None:
            self.viewport.zoom_to(scales.preset_scale(index, document.mpp))

    @Slot(int)
    def set_plane(self, plane: int) -> None:
        """Show an acquired plane."""
        document = self.viewport.document
        if document is None or plane == document.view.plane:
            return
        self.viewport.set_plane(plane)
        self._show_plane()
        self.plane_changed.emit()

    @Slot(int)
    def turn_plane(self, steps: int) -> None:
        """Go up or down through the planes."""
        document = self.viewport.document
        if document is not None:
            last = len(document.planes_um) - 1
            self.set_plane(min(max(document.view.plane + steps, 0), last))

    def _show_plane(self) -> None:
        document = self.viewport.document
        if document is not None:
            known = document.slide.info.z_step_known
            self.plane_panel.show_planes(document.planes_um, document.view.plane, known)

    # --- what is shown around the picture ------------------------------------------------------------------

    def _show_minimap(self, on: bool) -> None:
        self.viewport.minimap.visible = on
        self._changed()

    def _show_scale_bar(self, on: bool) -> None:
        self.viewport.scale_bar.visible = on
        self._changed()

    def _set_inertia(self, on: bool) -> None:
        self.viewport.inertia = on
        self._changed()

    def _set_theme(self, name: str) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self._changed()
        theme.apply_theme(app, name)

    def _changed(self) -> None:
        self.state.keep(self._settings)
        self.viewport.update()
