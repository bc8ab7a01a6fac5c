"""Giving verdicts on the selected slide, with their notes, and taking them back."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.services.settings import Settings
from focusviewer.app.services.undo import UndoStacks
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.worklist.lines import Line
from focusviewer.app.worklist.navigator import WorklistNavigator
from focusviewer.app.worklist.session import WorklistSession
from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.app.worklist.state import NOTHING_OPEN, READ_ONLY, WorklistState
from focusviewer.app.worklist.texts import plain
from focusviewer.app.worklist.verdicts.undo import VerdictEdits
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import VerdictRow

NOTE_HINT = "The note is kept with your verdict: Pass (P), Review (V) or Rescan (X)."


class VerdictController(QObject):
    """Writes the reader's verdicts and notes, and reads the history."""

    failed = Signal(str)

    def __init__(
        self,
        state: WorklistState,
        session: WorklistSession,
        stacks: UndoStacks,
        navigator: WorklistNavigator,
        messages: MessageBar,
        settings: Settings,
    ) -> None:
        super().__init__()
        self._state, self._session = state, session
        self._navigator, self._messages, self._settings = navigator, messages, settings
        self._edits = VerdictEdits(stacks, session)
        session.undone.connect(self._undone)
        session.history_read.connect(self._history_read)
        state.events.snapshot.connect(self._snapshot_changed)
        state.events.selected.connect(self._selected)
        state.events.advance.connect(self._keep_advance)

    # --- verdicts ------------------------------------------------------------------------------------------

    @Slot(object)
    def give(self, verdict: Verdict) -> None:
        """Write the reader's verdict on the selected slide."""
        line = self._state.line
        if line is None:
            self.failed.emit(self._state.why_no_line)
        elif self._state.is_read_only:
            self.failed.emit(READ_ONLY)
        else:
            self._write(line, verdict, self._state.keep_note())

    def _write(self, line: Line, verdict: Verdict, note: str) -> None:
        self._session.give(
            line.fingerprint,
            verdict,
            self._state.reader,
            note,
            unseen=line.hidden,
            name=line.name,
            written=self._edits.push,
            given=self._given,
        )

    def _given(self, row: VerdictRow) -> None:
        self._state.reveal(row.fingerprint)
        if self._state.advance and row.fingerprint == self._state.selected:
            self._navigator.step(1)

    @Slot()
    def undo(self) -> None:
        """Take back the reader's last verdict."""
        if self._state.is_read_only:
            self.failed.emit(READ_ONLY)
        elif self._state.is_open:
            self._session.undo(self._state.reader, taken_back=self._edits.taken_back)
        else:
            self.failed.emit(NOTHING_OPEN)

    @Slot(object)
    def _undone(self, taken: VerdictRow | None) -> None:
        if taken is None:
            self._messages.show_message(f"{plain(self._state.reader)} has no verdict left to take back.", "info")
            return
        line = self._state.listing.lines.get(taken.fingerprint)
        name = "a slide" if line is None else line.name
        self._messages.show_message(f"Taken back: {taken.verdict.value} on {name}.", "info")
        self._state.select(taken.fingerprint)

    def _snapshot_changed(self, new: Snapshot | None, old: Snapshot | None) -> None:
        if new is None:
            self._edits.clear()
            return
        self._edits.sync_with(new)
        if old is not None and self._revision(new) != self._revision(old):
            self._session.read_history(self._state.selected)

    def _revision(self, snapshot: Snapshot) -> int | None:
        """Of the selected slide."""
        row = snapshot.rows.get(self._state.selected)
        return None if row is None else row.revision

    @Slot(str, object)
    def _history_read(self, fingerprint: str, history: list[VerdictRow]) -> None:
        if fingerprint == self._state.selected:
            self._state.history = tuple(history)

    # --- notes ---------------------------------------------------------------------------------------------

    @Slot()
    def enter_note(self) -> None:
        """Keep the note with the verdict that stands; without one it waits for it."""
        line = self._state.line
        if self._state.is_read_only:
            self.failed.emit(READ_ONLY)
        elif line is None or line.mine is None:
            self._messages.show_message(NOTE_HINT, "info")
        elif self._state.note_has_changed:
            self.give(line.mine)

    def save_note(self) -> None:
        """Keep the note of the selected slide when the list is closed or the reader changes."""
        self._save_note_on(self._state.selected)

    def _save_note_on(self, fingerprint: str) -> None:
        """Keep the note with the reader's verdict on the slide; without one it becomes a draft."""
        state, line = self._state, self._state.listing.lines.get(fingerprint)
        if line is None or not state.note_has_changed or state.is_read_only:
            return
        if line.mine is not None:
            self._write(line, line.mine, state.note.strip())
        else:
            state.drafts = {**state.drafts, fingerprint: state.note}
        state.kept_note = state.note

    def _selected(self, new: str, old: str) -> None:
        """Keep the note when another slide is selected."""
        self._save_note_on(old)
        self._state.load_note()
        self._state.history = ()
        if new:
            self._session.read_history(new)

    # --- who gives them ------------------------------------------------------------------------------------

    def set_reader(self, name: str) -> None:
        """Let somebody else read; the name is remembered."""
        self.save_note()
        self._settings.reader = name
        self._state.change_reader(name)

    def _keep_advance(self, on: bool) -> None:
        self._settings.next_after_verdict = on
