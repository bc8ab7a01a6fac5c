"""The open slides: their list, what is known of them, and the commands that open and close them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from focusviewer.app.services.actions import ActionRecord
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.settings import Settings
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.slides.files import lies_in
from focusviewer.app.slides.optics import OpticsController
from focusviewer.app.slides.scale import ScaleController
from focusviewer.app.slides.slide_list import SlideList
from focusviewer.app.slides.slide_panel import SlidePanel
from focusviewer.app.slides.updates import SlideUpdates
from focusviewer.app.slides.watch import FileWatch
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets import choosers
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.widgets.common import Section
from focusviewer.slides.readers.plane_names import OrderError, brief, ordinal


class SlidesFeature(QObject):
    """Opens files, and keeps their list and panel up to date.

    Parameters
    ----------
    parent : QWidget
        What the dialogs belong to.

    Signals
    -------
    recent_changed : the list of recent files has changed
    """

    recent_changed = Signal()

    def __init__(
        self, jobs: Jobs, tiles: TileSource, messages: MessageBar, settings: Settings, parent: QWidget
    ) -> None:
        super().__init__()
        self._settings, self._parent = settings, parent
        self.list = SlideList()
        self.panel = SlidePanel()
        self.section = Section("Slide", self.panel)
        self.controller = SlideController(jobs, tiles)
        self.optics = OpticsController(parent, jobs, messages, settings)
        self.scale = ScaleController(parent, messages, self.controller, self.optics)
        self.updates = SlideUpdates(self.controller, tiles, self.list, self.panel, messages, self.open_paths)
        self.watch = FileWatch(jobs, self.controller, tiles, messages)
        self.controller.opened.connect(self._opened)
        self.controller.order_asked.connect(self._ask_order)
        self.list.document_chosen.connect(self.controller.show)
        self.list.document_closed.connect(self.controller.close)
        self.list.path_chosen.connect(self.open_one)
        self.panel.scale_requested.connect(self.ask_scale)
        self.list.show_recent(settings.recent)

    def actions(self) -> list[ActionRecord]:
        """The commands of files."""
        return [
            ActionRecord("file.open", "&Open…", self.ask_open, "open", ("Ctrl+O",), "Open slides, stacks or images"),
            ActionRecord("file.open_folder", "Open &folder…", self.ask_open_folder, "folder", ("Ctrl+Shift+O",)),
            ActionRecord("file.close", "&Close slide", self.close_current, "close", ("Ctrl+W",), needs="slide"),
            ActionRecord("file.scale", "Set sca&le…", self.ask_scale, "ruler", ("Ctrl+L",), needs="slide"),
        ]

    def show_document(self, document: Document | None) -> None:
        """Another slide is shown."""
        self.panel.show_document(document)
        self.list.show_documents(self.controller.documents, document)
        self.scale.ask_once(document)

    # --- opening and closing -------------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files and folders."""
        # whole paths: the list of recent slides is read from another folder next time
        self.controller.open([Path(path).absolute() for path in paths])

    def open_linked(self, paths: Sequence[Path], before: Callable[[], None]) -> None:
        """Open what a link names; a place where nothing was opened before only when the user agrees.

        Parameters
        ----------
        before : callable
            Called before they are opened.
        """

        def open_them() -> None:
            before()
            self.open_paths(paths)

        known = [Path(text).parent for text in self._settings.recent]
        if all(lies_in(path, known) for path in paths):
            open_them()
        else:
            choosers.confirm_link(self._parent, [str(path) for path in paths], open_them)

    @Slot(object)
    def open_one(self, path: Path) -> None:
        """Open a file or folder."""
        self.open_paths([path])

    @Slot()
    def close_current(self) -> None:
        """Close the slide that is shown."""
        if self.controller.current is not None:
            self.controller.close(self.controller.current)

    @Slot(object)
    def _opened(self, document: Document) -> None:
        self.remember(document.path)

    def remember(self, path: Path) -> None:
        """Put a path into the list of recent files."""
        self._settings.remember(path)
        self._settings.last_folder = str(path.parent)
        self.list.show_recent(self._settings.recent)
        self.recent_changed.emit()

    # --- questions -----------------------------------------------------------------------------------------

    def ask_open(self) -> None:
        """Let the user choose files."""
        choosers.choose_slides(self._parent, self._settings.last_folder, self.open_paths)

    def ask_open_folder(self) -> None:
        """Let the user choose a folder: a stack of plane images, or slides."""
        choosers.choose_folder(self._parent, self._settings.last_folder, self.open_paths)

    @Slot(object)
    def _ask_order(self, asked: OrderError) -> None:
        """Ask which of several orders the planes of a folder have."""
        texts = {place: f"by the {ordinal(place)} number: {brief(files)}" for place, files in asked.orders.items()}
        choosers.choose_order(
            self._parent, asked.folder.name, texts, lambda place: self.controller.set_order(asked, place)
        )

    @Slot()
    def ask_scale(self) -> None:
        """Ask how large a pixel is."""
        self.scale.ask(self.controller.current)
