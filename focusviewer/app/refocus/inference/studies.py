"""Studies: views as engines encode them before refocusing; made once, kept while they may be needed again."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus.area import RefocusArea
from focusviewer.app.refocus.inference.engines import EngineHost, Study, is_fluorescence, is_slow
from focusviewer.app.refocus.inference.study_cache import StudyCache
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.viewer.document import Document


class Studies(QObject):
    """Studies one area at a time, the one that was asked for last.

    While a view is studied from some of its planes, a request for the same view from other planes waits: a study that
    is nearly done is not thrown away, as the focus may be turned back. A request for another view replaces it.

    Signals
    -------
    ready : the area that was asked for is known
    refused : the slide cannot be refocused (fluorescence)
    changed : work has begun, ended or was stopped
    """

    ready = Signal()
    refused = Signal()
    changed = Signal()
    failed = Signal(str)

    def __init__(self, jobs: Jobs, tiles: TileSource, host: EngineHost) -> None:
        super().__init__()
        self._jobs, self._tiles, self._host = jobs, tiles, host
        self._cache = StudyCache()
        self._job: Job | None = None
        self._studied: RefocusArea | None = None  # by the job
        self._next: tuple[Document, RefocusArea] | None = None
        self.area: RefocusArea | None = None
        self.milliseconds = 0.0
        jobs.ended.connect(self._job_ended)

    @property
    def current(self) -> Study | None:
        """What is known of the area that was asked for."""
        return self._cache.get(self.area) if self.area is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether the area that was asked for is still being studied."""
        return self.current is None and bool(self._jobs.running("encode"))

    def areas(self) -> list[RefocusArea]:
        """Areas that are studied or soon will be; the one that was asked for comes first."""
        asked = [area for area in (self.area, self._studied) if area is not None]
        return list(dict.fromkeys([*asked, *self._cache.areas()]))

    def ask(self, document: Document, area: RefocusArea) -> None:
        """Study an area, unless that has been done or is being done."""
        if area == self.area:
            return
        self.area = area
        self._next = None
        continues = self._studied is not None and _of_one_view(self._studied, area)
        if not continues:
            self._stop()
        study = self.current
        if study is not None:
            self._cache.use(study)
            self.ready.emit()
        elif not continues:
            self._study(document, area)
        else:
            self._next = (document, area) if area != self._studied else None
            self.changed.emit()

    def forget(self) -> None:
        """Ask for nothing; what is known stays."""
        self.area = None
        self._stop()

    def clear(self) -> None:
        """Forget everything: it is no longer valid."""
        self.forget()
        self._cache.clear()

    def _stop(self) -> None:
        self._job = self._studied = self._next = None  # first, as the user has not stopped it
        self._jobs.cancel("encode")

    def _study(self, document: Document, area: RefocusArea) -> None:
        def work(job: Job) -> Study | None:
            if document.fluorescence is None:
                document.fluorescence = is_fluorescence(document)
            if document.fluorescence:
                return None
            return self._host.study(document, area, self._tiles.cached_pixels, job)

        def done(study: Study | None) -> None:
            self._job = self._studied = None
            if study is None:
                self.area = self._next = None
                self.refused.emit()
                return
            self.milliseconds = study.milliseconds
            current = self.current
            self._cache.use(study)
            if current is not None:
                self._cache.use(current)  # the focus was turned back meanwhile
            if area == self.area:
                self.ready.emit()
            self._start_next()

        def failed(text: str) -> None:
            self._job = self._studied = None
            if area == self.area:
                self.area = None
            self.changed.emit()
            self.failed.emit(text)
            self._start_next()

        self._studied = area
        slow = is_slow(area.engine)
        title = f"Studying the view ({area.engine})" if slow else "Studying the view"
        lane = Lane.INFERENCE if slow else Lane.STUDY
        self._job = self._jobs.start("encode", work, lane=lane, title=title, done=done, failed=failed)
        self.changed.emit()

    def _start_next(self) -> None:
        if self._next is not None:
            request, self._next = self._next, None
            self._study(*request)

    @Slot(object)
    def _job_ended(self, job: Job) -> None:
        if job.kind == "encode" and job.cancel.is_set():
            if job is self._job:  # stopped by the user: the next turn of the knob starts it again
                self._job = self._studied = self._next = None
                if self.current is None:
                    self.area = None
            self.changed.emit()


def _of_one_view(first: RefocusArea, second: RefocusArea) -> bool:
    """Whether two areas differ in nothing but their planes, and are studied by an engine that cannot be stopped."""
    if is_slow(first.engine):
        return False
    return replace(first, planes=second.planes, planes_um=second.planes_um) == second
