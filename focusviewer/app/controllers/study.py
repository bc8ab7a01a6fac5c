"""What an engine has to know of a view before it can refocus it: studied once, kept while it may be needed again."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.controllers.tiles import TileSource
from focusviewer.app.engine_room import SLOW, EngineRoom, Study, glows
from focusviewer.app.jobs import Job, Jobs, Lane
from focusviewer.app.models.document import Document
from focusviewer.app.models.refocus import RefocusArea

KEPT_VIEWS = 3


class Studies(QObject):
    """Studies one area at a time, the one that was asked for last.

    Signals
    -------
    ready : the area that was asked for is known
    refused : the slide turned out to be none that can be refocused
    changed : work has begun, ended or was stopped
    """

    ready = Signal()
    refused = Signal()
    changed = Signal()
    failed = Signal(str)

    def __init__(self, jobs: Jobs, tiles: TileSource, room: EngineRoom) -> None:
        super().__init__()
        self._jobs, self._tiles, self.room = jobs, tiles, room
        self._kept: OrderedDict[RefocusArea, Study] = OrderedDict()
        self._job: Job | None = None
        self.area: RefocusArea | None = None
        self.milliseconds = 0.0
        jobs.ended.connect(self._job_ended)

    @property
    def current(self) -> Study | None:
        """What is known of the area that was asked for."""
        return self._kept.get(self.area) if self.area is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether an area is being studied."""
        return bool(self._jobs.running("encode"))

    def ask(self, document: Document, area: RefocusArea) -> None:
        """Study an area, unless that has been done or is being done."""
        if area == self.area:
            return
        self.area = area
        if area in self._kept:
            self._job = None  # it is not stopped by the user, who may go on with this area at once
            self._jobs.cancel("encode")
            self._kept.move_to_end(area)
            self.ready.emit()
        else:
            self._study(document, area)

    def forget(self) -> None:
        """Ask for nothing; what is known stays."""
        self.area = None
        self._jobs.cancel("encode")

    def clear(self) -> None:
        """Forget everything: it has come to be wrong."""
        self.forget()
        self._kept.clear()

    def _study(self, document: Document, area: RefocusArea) -> None:
        def work(job: Job) -> Study | None:
            if document.fluorescence is None:
                document.fluorescence = glows(document)
            if document.fluorescence:
                return None
            return self.room.study(document, area, self._tiles.cached_pixels, job)

        def done(study: Study | None) -> None:
            if study is None:
                self.area = None
                self.refused.emit()
                return
            self.milliseconds = study.milliseconds
            self._kept[area] = study
            while len(self._kept) > KEPT_VIEWS:
                self._kept.popitem(last=False)
            self.ready.emit()

        def failed(text: str) -> None:
            self.area = None
            self.changed.emit()
            self.failed.emit(text)

        self._job = None  # the job this one replaces was not stopped by the user
        title = f"Studying the view ({area.engine})" if area.engine in SLOW else "Studying the view"
        self._job = self._jobs.start("encode", work, lane=Lane.INFERENCE, title=title, done=done, failed=failed)
        self.changed.emit()

    @Slot(object)
    def _job_ended(self, job: Job) -> None:
        if job.kind == "encode" and job.cancel.is_set():
            if job is self._job:
                self.area = None  # stopped by the user: the next touch of the knob begins again
            self.changed.emit()
