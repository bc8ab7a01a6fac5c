"""Reading through a worklist: what is selected and shown, and the verdicts on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QPixmap

from focusviewer.app.controllers.heatmap import HeatmapController
from focusviewer.app.controllers.slides import SlideController
from focusviewer.app.controllers.worklist import WorklistController
from focusviewer.app.controllers.worklist_maps import StoredMaps
from focusviewer.app.controllers.worklist_pictures import Wanted, WorklistPictures
from focusviewer.app.controllers.worklist_preview import PreviewController
from focusviewer.app.controllers.worklist_walk import Walk
from focusviewer.app.jobs import Jobs
from focusviewer.app.models.document import Document
from focusviewer.app.models.worklist import Choice, Line, Reader, Snapshot, choose, lines_of, os_user, plain
from focusviewer.app.settings import Settings
from focusviewer.app.views.bars import MessageBar
from focusviewer.app.views.verdict_panel import PICTURE, VerdictPanel
from focusviewer.app.views.viewport import Viewport
from focusviewer.app.views.worklist_panel import WorklistPanel
from focusviewer.app.views.worklist_table import THUMB
from focusviewer.qc.verdicts.agreement import pairs_of
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import VerdictRow

VEIL = "Blinded: give your verdict first, then the focus map can be seen."
NOTHING_OPEN = "No worklist is open. Open one with File > Open worklist."


class Window(Protocol):
    """What reviewing needs of the window."""

    jobs: Jobs
    slides: SlideController
    heatmap: HeatmapController
    viewport: Viewport
    messages: MessageBar
    settings: Settings
    worklist_panel: WorklistPanel
    verdict_panel: VerdictPanel

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files."""


class ReviewController(QObject):
    """Ties the worklist's file, its two panels, the slides and the picture together."""

    opened_changed = Signal(bool)  # whether a worklist is open
    reader_wanted = Signal()  # nobody has said who reads
    failed = Signal(str)

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._slides, self._heatmap = window.slides, window.heatmap
        self._messages, self._settings = window.messages, window.settings
        self.panel, self.verdicts = window.worklist_panel, window.verdict_panel
        self.store = WorklistController(window.jobs)
        self.pictures = WorklistPictures(window.jobs)
        self.preview = PreviewController(window.jobs, self.panel.preview)
        self.maps = StoredMaps(window.jobs, window.heatmap)
        self.reader = Reader(window.settings.reader or os_user())
        self.current = ""
        """Fingerprint of the slide that verdicts are about."""
        self.shown: list[Line] = []
        """The listed slides, in order."""
        self._lines: dict[str, Line] = {}
        self._drafts: dict[str, str] = {}  # notes that wait for a verdict
        self.walk = Walk(self, window.slides, window.viewport, window.verdict_panel, window.messages, window.open_paths)
        self._connect()
        self._show_reader()
        self.verdicts.advance.setChecked(self._settings.next_after_verdict)

    def _connect(self) -> None:
        store, panel, verdicts = self.store, self.panel, self.verdicts
        store.opened.connect(self._opened)
        store.changed.connect(self._changed)
        store.closed.connect(self._closed)
        store.given.connect(self._given)
        store.undone.connect(self._undone)
        store.history_read.connect(self._history_read)
        for source in (store.failed, self.preview.failed, self.maps.failed):
            source.connect(self.failed)
        self.preview.changed.connect(self._list)
        panel.table.lines.picture_of = self._small_picture
        self.pictures.arrived.connect(panel.table.lines.picture_arrived)
        self.pictures.arrived.connect(self._picture_arrived)
        panel.choice_changed.connect(self._choice_changed)
        panel.table.current_changed.connect(self.select)
        panel.table.opened.connect(self.walk.open_slide)
        verdicts.verdict_given.connect(self.give)
        verdicts.note_entered.connect(self._note_entered)
        verdicts.undo_requested.connect(self.undo)
        verdicts.blinded_changed.connect(self.set_blinded)
        verdicts.advance_changed.connect(self._set_advance)
        self._slides.current_changed.connect(self._document_shown)

    # --- opening and closing -------------------------------------------------------------------------------

    @Slot(object)
    def open(self, path: Path) -> None:
        """Open a worklist."""
        self.store.open(path)

    @Slot()
    def close(self) -> None:
        """Close the worklist; its slides stay open."""
        self._keep_note()
        self.store.close()

    def shut_down(self) -> None:
        """Let go of the file, when the workers have ended."""
        self.store.shut_down()

    @Slot(object)
    def _opened(self, snapshot: Snapshot) -> None:
        self.current = ""
        self.walk.reset()
        self._drafts.clear()
        self.reader.revealed.clear()
        self.pictures.clear()
        self.preview.open(snapshot)
        self.opened_changed.emit(True)
        self._take(snapshot)
        self._document_shown(self._slides.current)
        if not self.current and self.shown:
            self.select(self.shown[0].fingerprint)
        self.panel.table.setFocus()
        if not self._settings.reader:
            self.reader_wanted.emit()

    @Slot()
    def _closed(self) -> None:
        self.current = ""
        self._lines, self.shown = {}, []
        self.pictures.clear()
        self.preview.close()
        self._heatmap.set_veil("")
        self.panel.show_worklist(None)
        self.opened_changed.emit(False)

    @Slot(object)
    def _changed(self, snapshot: Snapshot) -> None:
        """Show what this or another window has written."""
        before = self._lines
        self._take(snapshot)
        for fingerprint, line in self._lines.items():
            old = before.get(fingerprint)
            if old is not None and old.row.result != line.row.result:
                self.pictures.forget(fingerprint)
        old, new = before.get(self.current), self._lines.get(self.current)
        if old is not None and new is not None and old.row.revision != new.row.revision:
            self.store.read_history(self.current)
            self._tell_of_other(old, new)

    def _tell_of_other(self, old: Line, new: Line) -> None:
        person = new.person
        if person is not None and person != old.row.person and person.who != self.reader.name:
            said = f"{plain(person.who)} has just judged {new.name}: {person.verdict.value}."
            self._messages.show_message(f"{said} Both verdicts stay in the history.", "info")

    # --- the list ------------------------------------------------------------------------------------------

    def _take(self, snapshot: Snapshot) -> None:
        self.panel.show_worklist(snapshot)
        readers = snapshot.readers
        program = {key: row.result.judgement.verdict for key, row in snapshot.rows.items() if row.result is not None}
        # A blinded reader learns nothing of single slides from the figures, but how they do against the program.
        others = readers if self.reader.blinded else {**readers, "the program": program}
        self.panel.show_agreement(pairs_of(others))
        self.preview.take(snapshot)
        self._list()

    @Slot()
    def _list(self) -> None:
        snapshot = self.store.snapshot
        if snapshot is None:
            return
        lines = lines_of(snapshot, self.reader, self.preview.moved)
        self._lines = {line.fingerprint: line for line in lines}
        self.shown = choose(lines, self.panel.choice, blinded=self.reader.blinded)
        self.panel.show_lines(self.shown, self.current, len(lines))
        self.panel.show_blinded(self.reader.blinded)
        judged = sum(line.row.person is not None for line in lines)
        mine = sum(line.mine is not None for line in lines)
        self.panel.show_progress(judged, mine, len(lines), len(self.shown))
        self._show_current()

    @Slot(object)
    def _choice_changed(self, choice: Choice) -> None:
        self._list()

    @property
    def line(self) -> Line | None:
        """The slide that verdicts are about."""
        return self._lines.get(self.current)

    def line_of(self, fingerprint: str) -> Line | None:
        """A slide of the worklist."""
        return self._lines.get(fingerprint)

    def need_line(self) -> Line | None:
        """The selected slide; if there is none, the reader is told so."""
        if self.line is None:
            self.failed.emit("Select a slide of the worklist first." if self.store.is_open else NOTHING_OPEN)
        return self.line

    @Slot(str)
    def select(self, fingerprint: str) -> None:
        """Turn to a slide of the list; it is not opened."""
        if fingerprint == self.current or fingerprint not in self._lines:
            return
        self._keep_note()
        self.current = fingerprint
        self.walk.reset()
        self.panel.table.select(fingerprint)
        line = self._lines[fingerprint]
        own = line.row.person.note if line.row.person and line.row.person.who == self.reader.name else ""
        self.verdicts.note.setText(self._drafts.get(fingerprint, own))
        self.verdicts.note.setModified(fingerprint in self._drafts)
        self.verdicts.show_history([])
        self.store.read_history(fingerprint)
        self._show_current()

    def _show_current(self) -> None:
        line, document = self.line, self._slides.current
        on_screen = line is not None and self.is_on_screen(line)
        self.verdicts.show_line(line, on_screen=on_screen)
        self.verdicts.show_picture(None if line is None else self._picture(line, PICTURE.width(), large=True))
        on = None if document is None else self._lines.get(document.slide.fingerprint)
        self._heatmap.set_veil(VEIL if on is not None and on.hidden else "")
        if on is not None and document is not None and self.store.folder is not None:
            self.maps.show(document, on, self.store.folder)

    def is_on_screen(self, line: Line) -> bool:
        """Whether a slide is the one in the picture."""
        document = self._slides.current
        return document is not None and document.slide.fingerprint == line.fingerprint

    def _small_picture(self, line: Line) -> QPixmap | None:
        return self._picture(line, THUMB.width())

    def _picture(self, line: Line, width: int, *, large: bool = False) -> QPixmap | None:
        folder = self.store.folder
        if folder is None or line.row.result is None:
            return None
        side = round(width * self.panel.devicePixelRatioF())
        wanted = Wanted(line.fingerprint, folder / line.row.result.folder, not line.hidden, side)
        return self.pictures.get(wanted, large=large)

    @Slot(str)
    def _picture_arrived(self, fingerprint: str) -> None:
        line = self.line
        if line is not None and fingerprint == self.current:
            self.verdicts.show_picture(self._picture(line, PICTURE.width(), large=True))

    # --- verdicts ------------------------------------------------------------------------------------------

    @Slot(object)
    def give(self, verdict: Verdict) -> None:
        """Write the reader's verdict on the selected slide."""
        line = self.need_line()
        if line is None:
            return
        note = self.verdicts.note.text().strip()
        self.verdicts.note.setModified(False)
        self._drafts.pop(line.fingerprint, None)
        self.store.give(line.fingerprint, verdict, self.reader.name, note, unseen=line.hidden, name=line.name)

    @Slot(str, object, bool)
    def _given(self, fingerprint: str, verdict: Verdict, blinded: bool) -> None:
        self.reader.revealed.add(fingerprint)
        if self._settings.next_after_verdict and fingerprint == self.current:
            self.walk.step(1)

    @Slot()
    def undo(self) -> None:
        """Take back the reader's last verdict."""
        if self.store.is_open:
            self.store.undo(self.reader.name)
        else:
            self.failed.emit(NOTHING_OPEN)

    @Slot(object)
    def _undone(self, taken: VerdictRow | None) -> None:
        if taken is None:
            self._messages.show_message(f"{plain(self.reader.name)} has no verdict left to take back.", "info")
            return
        line = self._lines.get(taken.fingerprint)
        name = "a slide" if line is None else line.name
        self._messages.show_message(f"Taken back: {taken.verdict.value} on {name}.", "info")
        self.select(taken.fingerprint)

    @Slot(str, object)
    def _history_read(self, fingerprint: str, history: list[VerdictRow]) -> None:
        if fingerprint == self.current:
            line = self.line
            self.verdicts.show_history([] if line is None or line.hidden else history)

    @Slot()
    def _note_entered(self) -> None:
        """Keep a note with the verdict that stands; without one it waits for it."""
        line = self.line
        if line is None or line.mine is None:
            self._messages.show_message(
                "The note is kept with your verdict: Pass (P), Review (V) or Rescan (X).", "info"
            )
        elif self.verdicts.note.isModified():
            self.give(line.mine)
        self.panel.table.setFocus()

    def _keep_note(self) -> None:
        """Lose no note when the reader turns to another slide."""
        line, note = self.line, self.verdicts.note
        if line is None or not note.isModified():
            return
        if line.mine is not None:
            self.give(line.mine)
        else:
            self._drafts[line.fingerprint] = note.text()
            note.setModified(False)

    def edit_note(self) -> None:
        """Put the cursor into the note."""
        self.verdicts.note.setFocus()
        self.verdicts.note.selectAll()

    # --- who reads, and how --------------------------------------------------------------------------------

    def set_reader(self, name: str) -> None:
        """Change the reader; the name is remembered."""
        self._keep_note()
        self._settings.reader = self.reader.name = name
        self.reader.revealed.clear()
        self._show_reader()
        self._list()
        if self.current:
            self.store.read_history(self.current)

    def _show_reader(self) -> None:
        self.verdicts.show_reader(self.reader.name)

    @Slot(bool)
    def set_blinded(self, on: bool) -> None:
        """Hide what was found on slides that the reader has not judged, or show it again."""
        self.reader.blinded = on
        if self.store.snapshot is not None:
            self._take(self.store.snapshot)
            if self.current:
                self.store.read_history(self.current)

    @Slot(bool)
    def _set_advance(self, on: bool) -> None:
        self._settings.next_after_verdict = on

    # --- the slide on screen -------------------------------------------------------------------------------

    @Slot(object)
    def _document_shown(self, document: Document | None) -> None:
        if not self.store.is_open:
            return
        if document is not None:
            self.select(document.slide.fingerprint)
        self._show_current()
