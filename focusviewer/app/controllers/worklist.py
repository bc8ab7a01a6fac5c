"""The worklist's file: everything that is read from it or written to it, in a lane of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.jobs import Job, Jobs, Lane
from focusviewer.app.models.worklist import Session, Snapshot
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import VerdictRow

POLL_MS = 2000
"""How often to look for what other windows and programs have written."""


class WorklistController(QObject):
    """Opens a worklist, keeps its snapshot fresh, and writes verdicts the moment they are given."""

    opened = Signal(object)  # Snapshot
    changed = Signal(object)  # Snapshot
    closed = Signal()
    given = Signal(str, object, bool)  # fingerprint, Verdict, whether it was the first look (blinded)
    undone = Signal(object)  # VerdictRow, or None when there was nothing to take back
    history_read = Signal(str, object)  # fingerprint, list of VerdictRow
    failed = Signal(str)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._session: Session | None = None
        self._poll_failed = ""
        self.snapshot: Snapshot | None = None
        self.timer = QTimer(self, interval=POLL_MS)
        self.timer.timeout.connect(self.poll)

    @property
    def is_open(self) -> bool:
        """Whether a worklist is shown."""
        return self.snapshot is not None

    @property
    def folder(self) -> Path | None:
        """The worklist's folder, with the slides' folders in it."""
        return None if self.snapshot is None else self.snapshot.path.parent

    def open(self, path: Path) -> None:
        """Open a worklist in place of the one that is open; on failure that one stays."""
        if self.snapshot is not None and self.snapshot.path == path:
            self.opened.emit(self.snapshot)
            return

        def work(job: Job) -> Session:
            session = Session(path)
            try:
                session.refresh()
            except BaseException:
                session.worklist.close()
                raise
            if job.cancel.is_set():
                session.worklist.close()
            return session

        def done(session: Session) -> None:
            self.close()
            self._session, self.snapshot = session, session.snapshot
            self._poll_failed = ""
            self.timer.start()
            self.opened.emit(session.snapshot)

        title = f"Opening {path.parent.name or path.name}"
        self._jobs.start("worklist open", work, lane=Lane.WORKLIST, title=title, done=done, failed=self.failed.emit)

    def close(self) -> None:
        """Let go of the worklist, after what is still being written."""
        session, self._session = self._session, None
        if session is None:
            return
        self.timer.stop()
        self.snapshot = None
        for kind in ("worklist poll", "worklist history"):
            self._jobs.cancel(kind)
        self._start("worklist close", lambda job: session.worklist.close(), lambda _: None, essential=True)
        self.closed.emit()

    def shut_down(self) -> None:
        """Let go of the file at the end of the program, when no worker uses it any more."""
        self.timer.stop()
        if self._session is not None:
            self._session.worklist.close()
            self._session = None

    def give(
        self, fingerprint: str, verdict: Verdict, who: str, note: str, *, unseen: bool = False, name: str = ""
    ) -> None:
        """Write a verdict at once.

        Parameters
        ----------
        unseen : bool
            Nothing that was found on the slide has been shown to the reader. It counts as blinded if they have never
            judged the slide before, not even to take it back.
        """
        session = self._session
        if session is None:
            return

        def work(job: Job) -> tuple[bool, list[VerdictRow], Snapshot | None]:
            before = session.worklist.history(fingerprint)
            blinded = unseen and all(entry.who != who for entry in before)
            session.worklist.give_verdict(fingerprint, verdict, who, note, blinded=blinded)
            return blinded, session.worklist.history(fingerprint), session.refresh()

        def done(answer: tuple[bool, list[VerdictRow], Snapshot | None]) -> None:
            blinded, history, snapshot = answer
            self._take(session, snapshot)
            self.history_read.emit(fingerprint, history)
            self.given.emit(fingerprint, verdict, blinded)

        def failed(text: str) -> None:
            self.failed.emit(f"The verdict on {name or 'the slide'} was not kept. {text}")

        self._start("worklist give", work, done, failed, essential=True)

    def undo(self, who: str) -> None:
        """Take back the reader's last verdict."""
        session = self._session
        if session is None:
            return

        def work(job: Job) -> tuple[VerdictRow | None, list[VerdictRow], Snapshot | None]:
            taken = session.worklist.undo(who)
            history = [] if taken is None else session.worklist.history(taken.fingerprint)
            return taken, history, session.refresh()

        def done(answer: tuple[VerdictRow | None, list[VerdictRow], Snapshot | None]) -> None:
            taken, history, snapshot = answer
            self._take(session, snapshot)
            if taken is not None:
                self.history_read.emit(taken.fingerprint, history)
            self.undone.emit(taken)

        self._start("worklist undo", work, done, self.failed.emit, essential=True)

    def read_history(self, fingerprint: str) -> None:
        """Ask for every verdict ever given on a slide."""
        session = self._session
        if session is not None:
            self._jobs.start(
                "worklist history",
                lambda job: session.worklist.history(fingerprint),
                lane=Lane.WORKLIST,
                done=lambda history: self.history_read.emit(fingerprint, history),
                failed=self.failed.emit,
            )

    @Slot()
    def poll(self) -> None:
        """Look for what others have written; a list that cannot be read is told once, not every time."""
        session = self._session
        if session is None or self._jobs.running("worklist poll"):
            return

        def done(snapshot: Snapshot | None) -> None:
            self._poll_failed = ""
            self._take(session, snapshot)

        def failed(text: str) -> None:
            if text != self._poll_failed:
                self._poll_failed = text
                self.failed.emit(text)

        self._start("worklist poll", lambda job: session.refresh(), done, failed)

    def _take(self, session: Session, snapshot: Snapshot | None) -> None:
        if snapshot is not None and session is self._session:
            self.snapshot = snapshot
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
