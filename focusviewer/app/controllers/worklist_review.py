"""Reading through a worklist: what is selected and shown, verdicts, from slide to slide and region to region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from focusviewer.app.jobs import Jobs
from focusviewer.app.models.document import Document
from focusviewer.app.models.worklist import Choice, Line, Reader, Snapshot, choose, lines_of, os_user, plain
from focusviewer.app.settings import Settings
from focusviewer.app.views.bars import MessageBar
from focusviewer.app.views.verdict_panel import PICTURE, VerdictPanel
from focusviewer.app.views.viewport import Viewport
from focusviewer.app.views.worklist_panel import WorklistPanel
from focusviewer.app.views.worklist_table import THUMB
from focusviewer.qc.agreement import pairs_of
from focusviewer.qc.judge import Verdict
from focusviewer.qc.records import VerdictRow

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
        self._slides, self._heatmap, self._viewport = window.slides, window.heatmap, window.viewport
        self._messages, self._settings, self._open_paths = window.messages, window.settings, window.open_paths
        self.panel, self.verdicts = window.worklist_panel, window.verdict_panel
        self.store = WorklistController(window.jobs)
        self.pictures = WorklistPictures(window.jobs)
        self.preview = PreviewController(window.jobs, self.panel.preview)
        self.maps = StoredMaps(window.jobs, window.heatmap)
        self.reader = Reader(window.settings.reader or os_user())
        self.current = ""
        """Fingerprint of the slide that verdicts are about."""
        self._lines: dict[str, Line] = {}
        self._shown: list[Line] = []
        self._drafts: dict[str, str] = {}  # notes that wait for a verdict
        self._wanted: Line | None = None  # its slide is being opened
        self._kept_open: list[Document] = []  # slides that were opened from here, to be closed when the next one is
        self._region = -1
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
        panel.table.opened.connect(self.open_slide)
        verdicts.verdict_given.connect(self.give)
        verdicts.note_entered.connect(self._note_entered)
        verdicts.undo_requested.connect(self.undo)
        verdicts.region_chosen.connect(self.go_to_region)
        verdicts.blinded_changed.connect(self.set_blinded)
        verdicts.advance_changed.connect(self._set_advance)
        self._slides.opened.connect(self._slide_opened)
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
        self.current, self._region = "", -1
        self._drafts.clear()
        self.reader.revealed.clear()
        self.pictures.clear()
        self.preview.open(snapshot)
        self.opened_changed.emit(True)
        self._take(snapshot)
        self._document_shown(self._slides.current)
        if not self.current and self._shown:
            self.select(self._shown[0].fingerprint)
        self.panel.table.setFocus()
        if not self._settings.reader:
            self.reader_wanted.emit()

    @Slot()
    def _closed(self) -> None:
        self.current = ""
        self._lines, self._shown = {}, []
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
        self._shown = choose(lines, self.panel.choice, blinded=self.reader.blinded)
        self.panel.show_lines(self._shown, self.current, len(lines))
        self.panel.show_blinded(self.reader.blinded)
        judged = sum(line.row.person is not None for line in lines)
        mine = sum(line.mine is not None for line in lines)
        self.panel.show_progress(judged, mine, len(lines), len(self._shown))
        self._show_current()

    @Slot(object)
    def _choice_changed(self, choice: Choice) -> None:
        self._list()

    @property
    def line(self) -> Line | None:
        """The slide that verdicts are about."""
        return self._lines.get(self.current)

    @Slot(str)
    def select(self, fingerprint: str) -> None:
        """Turn to a slide of the list; it is not opened."""
        if fingerprint == self.current or fingerprint not in self._lines:
            return
        self._keep_note()
        self.current, self._region = fingerprint, -1
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
        on_screen = line is not None and self._is_shown(line)
        self.verdicts.show_line(line, on_screen=on_screen)
        self.verdicts.show_picture(None if line is None else self._picture(line, PICTURE.width(), large=True))
        on = None if document is None else self._lines.get(document.slide.fingerprint)
        self._heatmap.set_veil(VEIL if on is not None and on.hidden else "")
        if on is not None and document is not None and self.store.folder is not None:
            self.maps.show(document, on, self.store.folder)

    def _is_shown(self, line: Line) -> bool:
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
        line = self.line
        if line is None:
            self.failed.emit(NOTHING_OPEN if not self.store.is_open else "Select a slide of the worklist first.")
            return
        note = self.verdicts.note.text().strip()
        self.verdicts.note.setModified(False)
        self._drafts.pop(line.fingerprint, None)
        # What is written now counts as seen from now on, even before the worker has written it.
        self.store.give(line.fingerprint, verdict, self.reader.name, note, unseen=line.hidden, name=line.name)

    @Slot(str, object, bool)
    def _given(self, fingerprint: str, verdict: Verdict, blinded: bool) -> None:
        self.reader.revealed.add(fingerprint)
        if self._settings.next_after_verdict and fingerprint == self.current:
            self.step(1)

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

    # --- slides --------------------------------------------------------------------------------------------

    def step(self, by: int, accept: Callable[[Line], bool] = lambda line: True) -> None:
        """Open the next (or previous) slide of the list that is accepted."""
        places = [number for number, line in enumerate(self._shown) if line.fingerprint == self.current]
        start = places[0] if places else (-1 if by > 0 else len(self._shown))
        ahead = self._shown[start + 1 :] if by > 0 else self._shown[: max(start, 0)][::-1]
        for line in ahead:
            if accept(line):
                self.open_slide(line.fingerprint)
                return
        if self.store.is_open:
            self._messages.show_message("The list ends here." if by > 0 else "The list begins here.", "info")

    def next_to_do(self) -> None:
        """Open the next slide that the reader has not judged."""
        self.step(1, lambda line: line.mine is None)

    @Slot(str)
    def open_slide(self, fingerprint: str = "") -> None:
        """Open a slide of the list (the selected one without a fingerprint), with its stored map."""
        line = self._lines.get(fingerprint or self.current)
        if line is None:
            return
        self.select(line.fingerprint)
        for document in self._slides.documents:  # also if it was opened under another path
            if document.slide.fingerprint == line.fingerprint:
                self._slides.show(document)
                return
        self._wanted = line
        self._open_paths([line.row.facts.path])

    @Slot(object)
    def _slide_opened(self, document: Document) -> None:
        wanted = self._wanted
        if wanted is None or document.path != wanted.row.facts.path:
            return
        self._wanted = None
        if document.slide.fingerprint != wanted.fingerprint:
            text = f"{wanted.name} is another file than the one that was judged; its map and regions do not fit it."
            self._messages.show_message(text, "warning")
        for earlier in self._kept_open:
            self._slides.close(earlier)
        self._kept_open = [document]

    @Slot(object)
    def _document_shown(self, document: Document | None) -> None:
        if not self.store.is_open:
            return
        if document is not None:
            self.select(document.slide.fingerprint)
        self._show_current()

    # --- regions -------------------------------------------------------------------------------------------

    def step_region(self, by: int) -> None:
        """Go to the next or previous blurred region of the slide, from the worst to the least."""
        line = self.line
        if line is None:
            self.failed.emit(NOTHING_OPEN if not self.store.is_open else "Select a slide of the worklist first.")
        elif line.hidden:
            self._messages.show_message("Blinded: regions can be seen when you have given your verdict.", "info")
        elif not self._is_shown(line):
            self.open_slide()
        elif not line.regions:
            self._messages.show_message(f"{line.name} has no blurred region.", "info")
        else:
            count = len(line.regions)
            first = 0 if by > 0 else count - 1
            self.go_to_region(first if self._region < 0 else (self._region + by) % count)

    @Slot(int)
    def go_to_region(self, number: int) -> None:
        """Show a blurred region of the selected slide and outline it."""
        line = self.line
        if line is None or not 0 <= number < len(line.regions):
            return
        if not self._is_shown(line):
            self.open_slide()
            return
        self._region = number
        region = line.regions[number]
        self.verdicts.show_region(number)
        self._viewport.go_to_rect(region.x, region.y, region.width, region.height)
