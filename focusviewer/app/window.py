"""The main window: the one place where the features are put together."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QVBoxLayout, QWidget

from focusviewer.app import menus
from focusviewer.app.compare.actions import compare_actions
from focusviewer.app.compare.controller import CompareController
from focusviewer.app.docks import Docks, ToolsPanel
from focusviewer.app.heatmap.feature import HeatmapFeature
from focusviewer.app.painting.actions import painting_actions
from focusviewer.app.painting.controller import PaintController
from focusviewer.app.refocus.actions import refocus_actions
from focusviewer.app.refocus.feature import RefocusFeature
from focusviewer.app.saving.feature import SavingFeature
from focusviewer.app.services.actions import ActionRecord, ActionRegistry
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.settings import Settings, save_settings
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.services.undo import UndoStacks
from focusviewer.app.slides.feature import SlidesFeature
from focusviewer.app.viewer import scales
from focusviewer.app.viewer.actions import viewer_actions
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.feature import ViewerFeature
from focusviewer.app.viewer.status import Status
from focusviewer.app.viewer.tools import ToolBox
from focusviewer.app.widgets import choosers, dialogs
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.widgets.menus import Menus
from focusviewer.app.worklist.feature import WorklistFeature
from focusviewer.app.worklist.panel import WIDTH as WORKLIST_WIDTH
from focusviewer.core.errors import UserError

TITLE = "FocusViewer"


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
        self._is_closed = self._close_confirmed = False
        self.jobs = Jobs(self)
        self.tiles = TileSource(settings.tile_cache_mb << 20, parent=self)
        self.messages = MessageBar()
        self.undo = UndoStacks(self)
        self._build_features()
        self._lay_out()
        self._build_menus()
        self._connect()
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.resize(1360, 860)
        self.docks.restore(settings)
        self._show_worklist(False)
        self._show_document(None)

    # --- building ------------------------------------------------------------------------------------------

    def _build_features(self) -> None:
        jobs, tiles, messages, settings = self.jobs, self.tiles, self.messages, self.settings
        toolbox = ToolBox(self)
        self.viewer = ViewerFeature(tiles, settings, toolbox)
        viewport = self.viewport = self.viewer.viewport
        self.opening = SlidesFeature(jobs, tiles, messages, settings, self)
        self.slides = self.opening.controller
        self.mapping = HeatmapFeature(jobs, viewport, settings)
        self.heatmap = self.mapping.controller
        self.refocusing = RefocusFeature(jobs, tiles, viewport, settings)
        self.refocus = self.refocusing.controller
        self.painting = PaintController(jobs, viewport, self.refocus, self.refocusing.panel, toolbox, self.undo)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)  # the second picture of a comparison goes in here
        self.splitter.addWidget(viewport)
        self.compare = CompareController(tiles, viewport, self.splitter, self.slides, self.refocus, toolbox)
        self.saving = SavingFeature(jobs, tiles, viewport, self.slides, self.refocusing, self.painting, settings, self)
        self.worklist = WorklistFeature(
            jobs, self.slides, self.heatmap, viewport, messages, settings, self.undo, self, self.open_paths
        )
        self.status = Status(jobs)

    def _lay_out(self) -> None:
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self.compare.bar)
        column.addWidget(self.splitter, 1)
        self.setCentralWidget(centre)
        parts = (self.worklist, self.mapping, self.refocusing, self.opening)
        sections = [part.section for part in parts]
        sections.insert(1, self.viewer.plane_section)
        self.tools = ToolsPanel(sections)
        self.docks = Docks(self, self.opening.list, self.worklist.panel, self.tools)
        self.setStatusBar(self.status)

    def _build_menus(self) -> None:
        self.commands = ActionRegistry()
        self.commands.add(
            *self.opening.actions(),
            *self.worklist.actions(),
            *self.saving.actions(),
            *viewer_actions(self.viewer, self.compare.active_viewport),
            *self.docks.actions(),
            *self.mapping.actions(),
            *refocus_actions(self.refocusing),
            *painting_actions(self.painting, self.refocusing.enter),
            *compare_actions(self.compare),
            ActionRecord("file.quit", "&Quit", self.close, "exit", ("Ctrl+Q",)),
            ActionRecord("help.help", "Help", self.show_help, "help", ("F1",)),
            ActionRecord("help.shortcuts", "Keyboard and mouse", self.show_shortcuts, "keyboard", ("?",)),
            ActionRecord("help.about", "About FocusViewer", self.show_about, "info"),
        )
        self.menus = Menus(self, self.viewport, self.commands)
        self.menus.add_menus(menus.MENUS)
        self.menus.add_toolbar(menus.TOOLBAR)
        self.refocusing.panel.set_save_menu([self.menus.actions[key] for key in menus.SAVE_REFOCUSED])
        for action in self.viewport.actions():
            self.compare.second.addAction(action)  # the keys that move a picture work in the second as well
        self._show_recent()

    def _connect(self) -> None:
        self.viewport.view_changed.connect(self._view_changed)
        self.viewport.pointed.connect(self._pointed)
        self.viewer.plane_changed.connect(self._plane_changed)
        self.slides.current_changed.connect(self._show_document)
        self.slides.opened.connect(self._opened)
        self.slides.scale_changed.connect(self._scale_changed)
        self.opening.optics.changed.connect(self._optics_changed)
        self.opening.recent_changed.connect(self._show_recent)
        self.opening.watch.reloaded.connect(self.refocusing.forget_studies)
        self.heatmap.failed.connect(self._map_failed)
        self.refocus.plane_wanted.connect(self.viewer.set_plane)
        self.refocusing.confidence.changed.connect(self.compare.refresh)
        self.saving.saved.connect(self._saved)
        self.saving.controller.copied.connect(
            lambda: self.messages.show_message("The view is on the clipboard", "info")
        )
        self.worklist.opened_changed.connect(self._show_worklist)
        self.worklist.found.connect(self.opening.remember)
        for source in (self.slides, self.refocusing, self.saving, self.worklist):
            source.failed.connect(self.show_error)
        self.jobs.error.connect(self.show_error)
        for panel in (self.viewer, self.refocusing.panel):
            panel.scale_requested.connect(self.opening.ask_scale)

    def load_registries(self) -> None:
        """Fill the lists of models and engines, in workers (after the window is there)."""
        self.heatmap.load_models()
        self.refocusing.load_engines()

    # --- documents -----------------------------------------------------------------------------------------

    @property
    def document(self) -> Document | None:
        """The slide that is shown."""
        return self.slides.current

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files and folders."""
        self.opening.open_paths(paths)

    def close_current(self) -> None:
        """Close the slide that is shown."""
        self.opening.close_current()

    @Slot(object)
    def _show_document(self, document: Document | None) -> None:
        self.undo.activate(None if document is None else document.slide.fingerprint)
        self.viewer.show_document(document)
        self.opening.show_document(document)
        self.heatmap.show_document(document)
        self.refocus.show_document(document)
        self.compare.show_document(document)
        self.setWindowTitle(f"{document.name} — {TITLE}" if document else TITLE)
        self._view_changed()
        self.menus.enable("slide", document is not None)
        for index, key in enumerate(menus.PRESET_KEYS):
            self.menus.actions[key].setText(scales.preset_text(index, document.mpp if document else 1.0))

    @Slot(object)
    def _opened(self, document: Document) -> None:
        self.viewport.setFocus()

    @Slot()
    def _show_recent(self) -> None:
        self.menus.show_recent(self.settings.recent, self.opening.open_one)

    @Slot(object)
    def _scale_changed(self, document: Document) -> None:
        document.maps.clear()
        if document is self.document:
            self._show_document(document)
            self.refocus.scale_changed()

    @Slot(object)
    def _optics_changed(self, document: Document) -> None:
        """Views were studied with other optics, also those of other slides of the scanner."""
        self.refocus.scale_changed()

    @Slot(bool)
    def _show_worklist(self, is_open: bool) -> None:
        self.menus.enable("worklist", is_open)
        self.docks.show_worklist(is_open, WORKLIST_WIDTH)

    # --- view ----------------------------------------------------------------------------------------------

    @Slot()
    def _view_changed(self) -> None:
        self.status.show_view(self.document)

    @Slot(float, float)
    def _pointed(self, x: float, y: float) -> None:
        self.status.show_point(self.document, x, y, self.heatmap.blur_at(x, y))
        self.viewport.setToolTip(self.heatmap.members_at(x, y))

    @Slot()
    def _plane_changed(self) -> None:
        self.heatmap.plane_changed()
        self.refocus.plane_changed()

    # --- messages and dialogs ------------------------------------------------------------------------------

    @Slot(str)
    def show_error(self, text: str) -> None:
        """Show an error as a message in the window."""
        self.messages.show_message(text, "error")

    @Slot(str)
    def _map_failed(self, text: str) -> None:
        document = self.document
        if document is not None and document.mpp is None and document.slide.info.not_square is None:
            self.opening.scale.offer(text, document, "error")
        else:
            self.show_error(text)

    @Slot(object)
    def _saved(self, path: Path) -> None:
        self.messages.show_message(f"Saved {path}", "info")

    def show_help(self) -> None:
        """Open the help."""
        choosers.open_dialog(dialogs.help_dialog(self))

    def show_shortcuts(self) -> None:
        """Open the shortcut sheet."""
        choosers.open_dialog(dialogs.shortcut_sheet(self.commands, menus.SHORTCUT_SHEET, self))

    def show_about(self) -> None:
        """Say what this program is."""
        choosers.open_dialog(dialogs.AboutDialog(self))

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

    def changeEvent(self, event: QEvent) -> None:
        """Look at the files of the open slides when the window gets the focus."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow() and not self._is_closed:
            self.opening.watch.look_again()

    def _may_close(self) -> bool:
        """Whether no file is being written that would be lost; otherwise the user is asked first."""
        running = self.saving.export.running
        if not running or self._close_confirmed:
            return True

        def close_anyway() -> None:
            self._close_confirmed = True
            self.close()

        choosers.confirm_close(self, [job.title for job in running], close_anyway)
        return False

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the settings, stop all workers, close the files."""
        if not self._may_close():
            event.ignore()
            return
        event.accept()
        if self._is_closed:
            return
        self._is_closed = True
        self.mapping.keep_settings()
        self.refocusing.keep_settings()
        self.docks.keep(self.settings)
        self.hide()  # the window disappears at once, even if workers still finish something
        self.opening.watch.stop()
        self.worklist.close()
        self.refocusing.sweep.stop()
        self.compare.stop()
        self._show_document(None)
        self.messages.clear()
        self.jobs.close()
        self.worklist.shut_down()
        self.tiles.close()
        self.slides.close_all()
        if self._remember:
            with contextlib.suppress(UserError):  # the window is closed: an error cannot be shown any more
                save_settings(self.settings)
        self.closed.emit()
