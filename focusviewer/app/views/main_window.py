"""The main window: puts the parts together; what they do is in the controllers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QMainWindow,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app import commands
from focusviewer.app.controllers.appearance import Appearance
from focusviewer.app.controllers.focusing import Focusing
from focusviewer.app.controllers.heatmap import HeatmapController
from focusviewer.app.controllers.refocus import RefocusController
from focusviewer.app.controllers.refocus_desk import RefocusDesk
from focusviewer.app.controllers.saving import SavingController
from focusviewer.app.controllers.scale import ScaleController
from focusviewer.app.controllers.slide_news import SlideNews
from focusviewer.app.controllers.slides import SlideController
from focusviewer.app.controllers.tiles import TileSource
from focusviewer.app.controllers.worklist_desk import WorklistDesk
from focusviewer.app.jobs import Jobs
from focusviewer.app.models import scales
from focusviewer.app.models.document import Document
from focusviewer.app.models.heatmap import style_of
from focusviewer.app.settings import Settings, save_settings
from focusviewer.app.views import choosers, dialogs
from focusviewer.app.views.bars import MessageBar
from focusviewer.app.views.compare_bar import CompareBar
from focusviewer.app.views.menus import Menus
from focusviewer.app.views.slide_list import SlideList
from focusviewer.app.views.status import Status
from focusviewer.app.views.tools import WIDTH as TOOLS_WIDTH
from focusviewer.app.views.tools import Tools
from focusviewer.app.views.viewport import Viewport
from focusviewer.app.views.worklist_panel import WorklistPanel
from focusviewer.core.errors import UserError

TITLE = "FocusViewer"
LEFT_WIDTH = 210


class MainWindow(QMainWindow):
    """The window of the program.

    Parameters
    ----------
    settings : Settings
        Changed while the window is used, saved when it closes.
    remember : bool
        Write the settings when the window closes.
    """

    closed = Signal()

    def __init__(self, settings: Settings, *, remember: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self._remember = remember
        self.jobs = Jobs(self)
        self.tiles = TileSource(settings.tile_cache_mb << 20, parent=self)
        self._is_closed = False
        self._build_parts()
        self._build_docks()
        self.commands = commands.make_commands(self)
        self.menus = Menus(self, self.viewport, self.commands)
        self.actions_by_id = self.menus.actions
        self.refocus_desk.bind(self.menus.actions)
        self.menus.add_toolbar(commands.TOOLBAR)
        self._fill_recent()
        self._connect()
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.resize(1360, 860)
        self.appearance.restore_layout(self)
        self.desk.show_state(False)
        self._show_document(None)

    # --- building ------------------------------------------------------------------------------------------

    def _build_parts(self) -> None:
        self.messages = MessageBar()
        self.viewport = Viewport(self.tiles)
        self.compare_bar = CompareBar()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)  # the second picture of a comparison goes in here
        self.splitter.addWidget(self.viewport)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self.compare_bar)
        column.addWidget(self.splitter, 1)
        self.setCentralWidget(centre)
        self.tools = Tools(style_of(self.settings))
        self.heatmap_panel, self.refocus_panel = self.tools.heatmap, self.tools.refocus
        self.plane_panel, self.slide_panel = self.tools.plane, self.tools.slide
        self.verdict_panel, self.worklist_panel = self.tools.verdict, WorklistPanel()
        self.slide_list = SlideList()
        self.slides = SlideController(self.jobs, self.tiles)
        self.scale = ScaleController(self, self.messages, self.slides)
        self.heatmap = HeatmapController(self.jobs, self.viewport, self.heatmap_panel)
        self.refocus = RefocusController(self.jobs, self.tiles, self.viewport, self.refocus_panel)
        self.focusing = Focusing(self.tools, self.heatmap, self.refocus, self.viewport)
        self.saving = SavingController(self.jobs, self.viewport, self.refocus, self.slides)
        self.refocus_desk = RefocusDesk(self)
        self.news = SlideNews(self)

    def _build_docks(self) -> None:
        self.left = self._dock("Slides", "slides", self.slide_list, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.worklist = self._dock("Worklist", "worklist", self.worklist_panel, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.tabifyDockWidget(self.left, self.worklist)
        self.desk = WorklistDesk(self, self.worklist)
        self.review = self.desk.review
        self.right = self._dock("Tools", "tools", self.tools, Qt.DockWidgetArea.RightDockWidgetArea)
        self.resizeDocks([self.left, self.right], [LEFT_WIDTH, TOOLS_WIDTH], Qt.Orientation.Horizontal)
        self.appearance = Appearance(self.settings, self.viewport, self.left, self.right, self.worklist)
        self.status = Status(self.jobs)
        self.setStatusBar(self.status)

    def _dock(self, title: str, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        self.viewport.view_changed.connect(self._view_changed)
        self.viewport.pointed.connect(self._pointed)
        self.viewport.plane_turned.connect(self.turn_plane)
        self.slides.current_changed.connect(self._show_document)
        self.slides.opened.connect(self._opened)
        self.slides.scale_changed.connect(self._scale_changed)
        self.heatmap.failed.connect(self._map_failed)
        self.saving.saved.connect(self._saved)
        for source in (self.slides.failed, self.saving.failed, self.jobs.error):
            source.connect(self.show_error)
        self.slide_list.document_chosen.connect(self.slides.show)
        self.slide_list.document_closed.connect(self.slides.close)
        self.slide_list.path_chosen.connect(self._open_one)
        self.plane_panel.plane_chosen.connect(self.set_plane)
        self.refocus.plane_wanted.connect(self.set_plane)
        for panel in (self.plane_panel, self.refocus_panel, self.slide_panel):
            panel.scale_requested.connect(self.ask_scale)

    def load_registries(self) -> None:
        """Fill the lists of models and engines, in workers (after the window is there)."""
        self.heatmap.load_models()
        self.refocus_desk.load_engines()

    # --- documents -----------------------------------------------------------------------------------------

    @property
    def document(self) -> Document | None:
        """The slide that is shown."""
        return self.slides.current

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files and folders."""
        # whole paths: the list of recent slides is read from another folder next time
        self.slides.open([Path(path).absolute() for path in paths])

    @Slot(object)
    def _open_one(self, path: Path) -> None:
        self.open_paths([path])

    @Slot(object)
    def _show_document(self, document: Document | None) -> None:
        self.viewport.show_document(document)
        self.slide_panel.show_document(document)
        self.tools.plane_section.setVisible(document is not None and len(document.planes_um) > 1)
        self.heatmap.show_document(document)
        self.refocus.show_document(document)
        self.refocus_desk.compare.show_document(document)
        self.setWindowTitle(f"{document.name} — {TITLE}" if document else TITLE)
        self.slide_list.show_documents(self.slides.documents, document)
        self._show_plane()
        self._view_changed()
        self.menus.show_state(document is not None, document.mpp if document else None)
        self.scale.ask_once(document)

    @Slot(object)
    def _opened(self, document: Document) -> None:
        self.remember(document.path)
        self.viewport.setFocus()

    def remember(self, path: Path) -> None:
        """Put a path into the list of recent files."""
        self.settings.remember(path)
        self.settings.last_folder = str(path.parent)
        self._fill_recent()

    @Slot()
    def close_current(self) -> None:
        """Close the slide that is shown."""
        if self.document is not None:
            self.slides.close(self.document)

    def _fill_recent(self) -> None:
        self.menus.show_recent(self.settings.recent, self._open_one)
        self.slide_list.show_recent(self.settings.recent)

    @Slot()
    def ask_scale(self) -> None:
        """Ask how large a pixel is."""
        self.scale.ask(self.document)

    @Slot(object)
    def _scale_changed(self, document: Document) -> None:
        document.maps.clear()
        if document is self.document:
            self._show_document(document)
            self.refocus.scale_changed()

    # --- view ----------------------------------------------------------------------------------------------

    @Slot()
    def _view_changed(self) -> None:
        self.status.show_view(self.document)

    @Slot(float, float)
    def _pointed(self, x: float, y: float) -> None:
        self.status.show_point(self.document, x, y, self.heatmap.blur_at(x, y))
        self.viewport.setToolTip(self.heatmap.members_at(x, y))

    def zoom_preset(self, index: int) -> None:
        """Zoom to one of the presets."""
        if self.document is not None:
            self.viewport.zoom_to(scales.preset_scale(index, self.document.mpp))

    @Slot(int)
    def set_plane(self, plane: int) -> None:
        """Show an acquired plane."""
        if self.document is None or plane == self.document.view.plane:
            return
        self.viewport.set_plane(plane)
        self._show_plane()
        self.heatmap.plane_changed()
        self.refocus.plane_changed()

    @Slot(int)
    def turn_plane(self, steps: int) -> None:
        """Go up or down through the planes."""
        if self.document is not None:
            last = len(self.document.planes_um) - 1
            self.set_plane(min(max(self.document.view.plane + steps, 0), last))

    def _show_plane(self) -> None:
        document = self.document
        if document is not None:
            known = document.slide.info.z_step_known
            self.plane_panel.show_planes(document.planes_um, document.view.plane, known)

    @Slot(str)
    def _map_failed(self, text: str) -> None:
        document = self.document
        if document is not None and document.mpp is None:
            self.scale.tell(text, document, "error")
        else:
            self.show_error(text)

    # --- dialogs -------------------------------------------------------------------------------------------

    def ask_open(self) -> None:
        """Let the user choose files."""
        choosers.choose_slides(self, self.settings.last_folder, self.open_paths)

    def ask_open_folder(self) -> None:
        """Let the user choose a folder: a stack of plane images, or slides."""
        choosers.choose_folder(self, self.settings.last_folder, self.open_paths)

    @Slot()
    def ask_snapshot(self) -> None:
        """Ask where to save what the picture shows."""
        if self.document is not None:
            stem = f"{self.document.path.stem}-view"
            choosers.choose_picture(self, "Save snapshot", self.settings.last_folder, stem, self.saving.snapshot)

    def show_help(self) -> None:
        """Open the help."""
        choosers.open_dialog(dialogs.help_dialog(self))

    def show_shortcuts(self) -> None:
        """Open the shortcut sheet."""
        choosers.open_dialog(dialogs.shortcut_sheet(self.commands, self))

    def show_about(self) -> None:
        """Say what this program is."""
        choosers.open_dialog(dialogs.AboutDialog(self))

    @Slot(object)
    def _saved(self, path: Path) -> None:
        self.messages.show_message(f"Saved {path}", "info")

    @Slot(str)
    def show_error(self, text: str) -> None:
        """Show an error as a message in the window."""
        self.messages.show_message(text, "error")

    # --- window events -------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.open_paths(paths)

    def _collect_settings(self) -> None:
        style = self.heatmap_panel.style_now
        settings = self.settings
        settings.model, settings.lut = style.model, style.lut
        settings.heatmap_mode, settings.heatmap_opacity = style.mode, style.opacity
        settings.threshold = self.heatmap.level_threshold
        settings.engine = self.refocus_panel.engine_name or settings.engine  # the list may not be filled yet

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the settings, stop all workers, let go of the files."""
        if not self.refocus_desk.may_close():
            event.ignore()
            return
        event.accept()
        if self._is_closed:
            return
        self._is_closed = True
        self._collect_settings()
        self.appearance.keep_layout(self)
        self.hide()  # the window is gone at once, whatever the workers still finish
        self.review.close()
        self.refocus_desk.close()
        self._show_document(None)
        self.messages.clear()
        self.jobs.close()
        self.review.shut_down()
        self.tiles.close()
        self.slides.close_all()
        if self._remember:
            with contextlib.suppress(UserError):  # nothing is painted any more, and there is nobody left to tell
                save_settings(self.settings)
        self.closed.emit()
