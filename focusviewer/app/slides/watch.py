"""Files of open slides that are written anew, vanish or come back while they are open."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import UserError
from focusviewer.slides.files.freshness import Stamp, stamp_of

AGAIN_MS = 3000
"""How often to look whether a file that is lost has come back."""

SETTLE_S = 0.3
"""A file is read anew once it has stood still so long: it may still be written."""


@dataclass(frozen=True)
class Look:
    """What was found at a document's files: how they are now, and the slide opened anew where that was due."""

    document: Document
    now: Stamp
    fresh: Document | None = None
    problem: str = ""


class FileWatch(QObject):
    """Looks at the files of the open slides when the window gets the focus, a slide is opened again or a tile fails.

    A slide whose file was written anew is read again and shown where it was. One whose file is gone stays open, with
    what was read of it, is told of once, and is read again when the file is back.

    Signals
    -------
    reloaded : (Document) it took the place of another
    """

    reloaded = Signal(object)

    def __init__(self, jobs: Jobs, slides: SlideController, tiles: TileSource, messages: MessageBar) -> None:
        super().__init__()
        self._jobs, self._slides, self._messages = jobs, slides, messages
        self._tiles = tiles
        self._told: dict[Document, str] = {}  # the message of each slide whose file is lost
        self._due = self._retry = False
        self.timer = QTimer(self, interval=AGAIN_MS)
        self.timer.timeout.connect(self.check)
        tiles.failed.connect(self.check)
        slides.asked_again.connect(self.check)
        slides.documents_changed.connect(self._documents_changed)

    @Slot()
    def look_again(self) -> None:
        """Look at the files, and let tiles that could not be read be tried once more."""
        self._retry = True
        self.check()

    @Slot()
    def check(self) -> None:
        """Look at the files of all open slides."""
        if self._jobs.running("look at files"):
            self._due = True  # what happened after that look began must not be missed
            return
        self._due = False
        documents = [document for document in self._slides.documents if document.stamp is not None]
        if not documents:
            self._retry = False
            return
        lost, opener = set(self._told), self._slides.opener

        def look(document: Document, job: Job) -> Look:
            stop_if(job.cancel)
            now = stamp_of(document.files)
            if now.problem or (now == document.stamp and document not in lost):
                return Look(document, now, problem=now.problem)
            time.sleep(SETTLE_S)
            if stamp_of(document.files) != now:
                return Look(document, now, problem="it is being written")
            try:
                return Look(document, now, Document.of(opener(document.path), now, document.parts))
            except UserError as error:
                return Look(document, now, problem=error.why or str(error))

        def work(job: Job) -> list[Look]:
            return [look(document, job) for document in documents]

        self._jobs.start("look at files", work, lane=Lane.LOOK, done=self._looked, failed=lambda text: None)

    def stop(self) -> None:
        """Look no more, at the end of the program."""
        self.timer.stop()

    def _looked(self, looks: list[Look]) -> None:
        retry, self._retry = self._retry, False
        for found in looks:
            if found.document not in self._slides.documents:
                if found.fresh is not None:
                    self._slides.discard(found.fresh)
            elif found.fresh is not None:
                self._reload(found.document, found.fresh)
            elif found.problem:
                self._tell(found.document, found.problem)
            elif retry and found.document.bad_tiles:
                self._tiles.retry(found.document.pyramid)
        self._documents_changed()
        if self._due:
            self.check()

    def _reload(self, old: Document, new: Document) -> None:
        told = self._told.pop(old, None)
        if told is not None:
            self._messages.dismiss(told)
        anew = old.stamp != new.stamp
        what = "was written anew and has been read again" if anew else "can be read again"
        self._slides.replace(old, new)
        self.reloaded.emit(new)
        self._messages.show_message(f"{new.name} {what}.", "info")

    def _tell(self, document: Document, problem: str) -> None:
        if document not in self._told:
            rest = "What was read of it stays on screen; it is read again when it can be."
            self._told[document] = f"{document.name} cannot be read: {problem}. {rest}"
            self._messages.show_message(self._told[document], "error")

    @Slot()
    def _documents_changed(self) -> None:
        """Look again now and then while a file is lost."""
        self._told = {document: text for document, text in self._told.items() if document in self._slides.documents}
        if self._told and not self.timer.isActive():
            self.timer.start()
        elif not self._told:
            self.timer.stop()
