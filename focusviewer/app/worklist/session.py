"""The worklist's file: everything that is read from it or written to it, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.worklist.snapshot import OpenWorklist, Snapshot
from focusviewer.core.cancel import done_within
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import VerdictRow

CLOSING_S = 1.0

POLL_MS = 2000
"""How often to look for what other windows and programs have written."""


def ignore(*_: object) -> None:
    """Ignore an answer."""


class WorklistSession(QObject):
    """Opens a worklist, looks for what has changed in it, and writes verdicts the moment they are given."""

    opened = Signal(object)  # Snapshot
    changed = Signal(object)  # Snapshot
    closed = Signal()
    undone = Signal(object)  # VerdictRow, or None when there was nothing to take back
    history_read = Signal(str, object)  # fingerprint, list of VerdictRow
    failed = Signal(str)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._file: OpenWorklist | None = None
        self._poll_failed = ""
        self.timer = QTimer(self, interval=POLL_MS)
        self.timer.timeout.connect(self.poll)

    def open(self, path: Path) -> None:
        """Open a worklist in place of the one that is open; on failure that one stays."""

        def work(job: Job) -> OpenWorklist:
            file = OpenWorklist(path)
            try:
                file.refresh()
            except BaseException:
                file.worklist.close()
                raise
            if job.cancel.is_set():
                file.worklist.close()
            return file

        def done(file: OpenWorklist) -> None:
            self.close()
            self._file = file
            self._poll_failed = ""
            self.timer.start()
            self.opened.emit(file.snapshot)

        title = f"Opening {path.parent.name or path.name}"
        self._jobs.start("worklist open", work, lane=Lane.WORKLIST, title=title, done=done, failed=self.failed.emit)

    def close(self) -> None:
        """Close the worklist, after what is still being written."""
        file, self._file = self._file, None
        if file is None:
            return
        self.timer.stop()
        for kind in ("worklist poll", "worklist history"):
            self._jobs.cancel(kind)
        self._start("worklist close", lambda job: file.worklist.close(), lambda _: None, essential=True)
        self.closed.emit()

    def shut_down(self) -> None:
        """Close the file at the end of the program, when no worker uses it any more."""
        self.timer.stop()
        if self._file is not None:
            done_within(CLOSING_S, self._file.worklist.close)
            self._file = None

    def give(
        self,
        fingerprint: str,
        verdict: Verdict,
        who: str,
        note: str,
        *,
        unseen: bool = False,
        name: str = "",
        written: Callable[[VerdictRow], None] = ignore,
        given: Callable[[VerdictRow], None] = ignore,
        lost: Callable[[], None] = ignore,
    ) -> None:
        """Write a verdict at once.

        Parameters
        ----------
        unseen : bool
            Nothing that was found on the slide has been shown to the reader. It counts as blinded if they have never
            judged the slide before, not even to take it back.
        name : str
            Of the slide, for the message when the verdict could not be written.
        written, given : callable
            Called with the verdict as the file has it: before and after the list shows it.
        lost : callable
            Called when it could not be written.
        """
        file = self._file
        if file is None:
            return

        def work(job: Job) -> tuple[VerdictRow, list[VerdictRow], Snapshot | None]:
            before = file.worklist.history(fingerprint)
            blinded = unseen and all(entry.who != who for entry in before)
            number = file.worklist.give_verdict(fingerprint, verdict, who, note, blinded=blinded)
            history = file.worklist.history(fingerprint)
            row = next(entry for entry in history if entry.number == number)
            return row, history, file.refresh()

        def done(answer: tuple[VerdictRow, list[VerdictRow], Snapshot | None]) -> None:
            row, history, snapshot = answer
            if file is self._file:
                written(row)
            self._publish(file, snapshot)
            self.history_read.emit(fingerprint, history)
            given(row)

        def failed(text: str) -> None:
            lost()
            self.failed.emit(f"The verdict on {name or 'the slide'} was not kept. {text}")

        self._start("worklist give", work, done, failed, essential=True)

    def undo(
        self,
        who: str,
        number: int | None = None,
        *,
        taken_back: Callable[[VerdictRow | None], None] = ignore,
        lost: Callable[[], None] = ignore,
    ) -> None:
        """Take back the reader's last verdict.

        Parameters
        ----------
        number : int, optional
            Take back this one of their verdicts instead.
        taken_back : callable
            Called before the list shows it with the verdict that was taken back; with None if there was none.
        lost : callable
            Called when it could not be written.
        """
        file = self._file
        if file is None:
            return

        def work(job: Job) -> tuple[VerdictRow | None, list[VerdictRow], Snapshot | None]:
            taken = file.worklist.undo(who, number)
            history = [] if taken is None else file.worklist.history(taken.fingerprint)
            return taken, history, file.refresh()

        def done(answer: tuple[VerdictRow | None, list[VerdictRow], Snapshot | None]) -> None:
            taken, history, snapshot = answer
            if file is self._file:
                taken_back(taken)
            self._publish(file, snapshot)
            if taken is not None:
                self.history_read.emit(taken.fingerprint, history)
            if taken is not None or number is None:
                self.undone.emit(taken)

        def failed(text: str) -> None:
            lost()
            self.failed.emit(text)

        self._start("worklist undo", work, done, failed, essential=True)

    def read_history(self, fingerprint: str) -> None:
        """Ask for every verdict ever given on a slide."""
        file = self._file
        if file is not None:
            self._jobs.start(
                "worklist history",
                lambda job: file.worklist.history(fingerprint),
                lane=Lane.WORKLIST,
                done=lambda history: self.history_read.emit(fingerprint, history),
                failed=self.failed.emit,
            )

    @Slot()
    def poll(self) -> None:
        """Look for what others have written; a list that cannot be read is reported once, not every time."""
        file = self._file
        if file is None or self._jobs.running("worklist poll"):
            return

        def done(snapshot: Snapshot | None) -> None:
            self._poll_failed = ""
            self._publish(file, snapshot)

        def failed(text: str) -> None:
            if text != self._poll_failed:
                self._poll_failed = text
                self.failed.emit(text)

        self._start("worklist poll", lambda job: file.refresh(), done, failed)

    def _publish(self, file: OpenWorklist, snapshot: Snapshot | None) -> None:
        if snapshot is not None and file is self._file:
            self.changed.emit(snapshot)

    def _start(
        self,
        kind: str,
        work: Callable[[Job], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None] | None = None,
        *,
        essential: bool = False,
    ) -> None:
        self._jobs.start(kind, work, lane=Lane.WORKLIST, done=done, failed=failed, replace=False, essential=essential)
