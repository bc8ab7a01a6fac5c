"""Reviewing a worklist: opening and closing it, what is listed, and the slide on screen."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QPixmap

from focusviewer.app.heatmap.controller import HeatmapController
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.worklist.lines import Line
from focusviewer.app.worklist.maps import StoredMaps
from focusviewer.app.worklist.panel import WorklistPanel
from focusviewer.app.worklist.pictures import PictureRequest, WorklistPictures
from focusviewer.app.worklist.session import WorklistSession
from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.app.worklist.state import READ_ONLY, WorklistState
from focusviewer.app.worklist.table.cells import THUMB
from focusviewer.app.worklist.texts import plain
from focusviewer.app.worklist.thresholds.controller import ThresholdController
from focusviewer.app.worklist.verdicts.panel import PICTURE, VerdictPanel

BLINDED = "Blinded: give your verdict first, then the focus map can be seen."


class ReviewController(QObject):
    """Keeps the list up to date, and shows pictures and stored maps of its slides.

    Signals
    -------
    opened_changed : (is_open)
    opened : a worklist is shown
    """

    opened_changed = Signal(bool)
    opened = Signal()
    failed = Signal(str)

    def __init__(
        self,
        state: WorklistState,
        session: WorklistSession,
        thresholds: ThresholdController,
        jobs: Jobs,
        slides: SlideController,
        heatmap: HeatmapController,
        messages: MessageBar,
        panel: WorklistPanel,
        verdicts: VerdictPanel,
    ) -> None:
        super().__init__()
        self._state, self._session, self._thresholds = state, session, thresholds
        self._slides, self._heatmap, self._messages = slides, heatmap, messages
        self._panel, self._verdicts = panel, verdicts
        self._pictures = WorklistPictures(jobs)
        self._maps = StoredMaps(jobs, heatmap)
        self._maps.failed.connect(self.failed)
        self._connect()

    def _connect(self) -> None:
        session, events = self._session, self._state.events
        session.opened.connect(self._opened)
        session.changed.connect(self._changed)
        session.closed.connect(self._closed)
        events.snapshot.connect(self._readers_changed)
        events.blinded.connect(self._readers_changed)
        events.reader.connect(self._list)
        events.revealed.connect(self._revealed_changed)
        events.choice.connect(self._choice_changed)
        self._thresholds.state.events.effect.connect(self._list)
        for event in (events.listing, events.selected, events.on_screen):
            event.connect(self._show_slide)
        self._slides.current_changed.connect(self._document_shown)
        self._panel.table.lines.picture_of = self._small_picture
        self._pictures.arrived.connect(self._panel.table.lines.picture_arrived)
        self._pictures.arrived.connect(self._picture_arrived)

    # --- opening and closing -------------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Open a worklist; one that is open already is shown from its beginning."""
        snapshot = self._state.snapshot
        if snapshot is not None and snapshot.path == path:
            self._opened(snapshot)
        else:
            self._session.open(path)

    @Slot(object)
    def _opened(self, snapshot: Snapshot) -> None:
        state = self._state
        self._pictures.clear()
        self._thresholds.open()
        self.opened_changed.emit(True)
        state.open(snapshot)
        if state.line_on_screen is not None:
            state.select(state.on_screen)
        elif state.listing.listed:
            state.select(state.listing.listed[0].fingerprint)
        self._panel.table.setFocus()
        if snapshot.read_only:
            self._messages.show_message(READ_ONLY, "warning")
        self.opened.emit()

    @Slot()
    def _closed(self) -> None:
        self._pictures.clear()
        self._state.close()
        self.opened_changed.emit(False)

    # --- the list ------------------------------------------------------------------------------------------

    @Slot(object)
    def _changed(self, snapshot: Snapshot) -> None:
        """Show what this or another window has written."""
        before, selected = self._state.listing.lines, self._state.line
        self._state.snapshot = snapshot
        for fingerprint, line in self._state.listing.lines.items():
            old = before.get(fingerprint)
            if old is not None and old.row.result != line.row.result:
                self._pictures.forget(fingerprint)
        if selected is not None and self._state.line is not None:
            self._announce_other_reader(selected, self._state.line)

    def _announce_other_reader(self, old: Line, new: Line) -> None:
        person = new.person
        if person is not None and person != old.row.person and person.who != self._state.reader:
            said = f"{plain(person.who)} has just judged {new.name}: {person.verdict.value}."
            self._messages.show_message(f"{said} Both verdicts stay in the history.", "info")

    def _readers_changed(self) -> None:
        self._state.compare_readers()
        self._list()

    def _revealed_changed(self) -> None:
        if self._state.blinded:
            self._list()

    def _choice_changed(self) -> None:
        self._state.choose_listed()

    def _list(self) -> None:
        self._state.list_slides(self._thresholds.state.would_be)

    # --- the selected slide, and the one on screen ---------------------------------------------------------

    @Slot(object)
    def _document_shown(self, document: Document | None) -> None:
        self._state.on_screen = "" if document is None else document.slide.fingerprint
        self._state.select(self._state.on_screen)

    def _show_slide(self) -> None:
        """Show the picture of the selected slide, and the map of the one on screen if it may be seen."""
        state, document = self._state, self._slides.current
        self._verdicts.show_picture(None if state.line is None else self._large_picture(state.line))
        on_screen = state.line_on_screen
        self._heatmap.withhold(BLINDED if on_screen is not None and on_screen.hidden else "")
        if on_screen is not None and document is not None and state.folder is not None:
            self._maps.show(document, on_screen, state.folder)

    # --- pictures ------------------------------------------------------------------------------------------

    def _small_picture(self, line: Line) -> QPixmap | None:
        return self._picture(line, THUMB.width())

    def _large_picture(self, line: Line) -> QPixmap | None:
        return self._picture(line, PICTURE.width(), large=True)

    def _picture(self, line: Line, width: int, *, large: bool = False) -> QPixmap | None:
        folder = self._state.folder
        if folder is None or line.row.result is None:
            return None
        side = round(width * self._panel.devicePixelRatioF())
        request = PictureRequest(line.fingerprint, folder / line.row.result.folder, not line.hidden, side)
        return self._pictures.get(request, large=large)

    @Slot(str)
    def _picture_arrived(self, fingerprint: str) -> None:
        line = self._state.line
        if line is not None and fingerprint == self._state.selected:
            self._verdicts.show_picture(self._large_picture(line))
