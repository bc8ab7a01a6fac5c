"""Rendering one picture at a time, the one that was asked for last."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus.area import RefocusRequest
from focusviewer.app.refocus.inference.engines import EngineHost, Rendered, Study, is_slow
from focusviewer.app.services.jobs import Job, Jobs, Lane

LIVE_MS = 150.0
"""A picture that takes no longer is not stopped, even if the engine is a slow one (on a graphics card)."""


class Renders(QObject):
    """Renders what is asked for in the inference lane.

    While a fast engine renders, the newest request waits, so that dragging shows every finished picture. A slow one is
    stopped.

    Signals
    -------
    rendered : (Rendered) the picture is there
    changed : work has begun or was stopped
    """

    rendered = Signal(object)
    changed = Signal()
    failed = Signal(str)

    def __init__(self, jobs: Jobs, host: EngineHost) -> None:
        super().__init__()
        self._jobs, self._host = jobs, host
        self._next: tuple[Study, RefocusRequest] | None = None
        self._job: Job | None = None
        self._is_slow = False
        self._last_ms: dict[str, float] = {}  # ms of the last picture, by engine
        jobs.ended.connect(self._ended)

    @property
    def is_slow(self) -> bool:
        """Whether a picture is being rendered that takes seconds."""
        return self._job is not None and self._is_slow

    def ask(self, study: Study, request: RefocusRequest) -> None:
        """Ask for a picture; an older request that waits is forgotten."""
        self._next = study, request
        self._start_next()

    def stop(self) -> None:
        """Stop rendering, and forget the request that waits."""
        self._next = None
        self._job = None
        self._jobs.cancel("render")

    def _start_next(self) -> None:
        if self._next is None:
            return
        if self._job is not None:
            if not self._is_slow:
                return  # it will be over in a moment, and then this is called again
            self._job = None
            self._jobs.cancel("render")
        (study, request), self._next = self._next, None
        name = study.area.engine
        self._is_slow = is_slow(name) and self._last_ms.get(name, LIVE_MS + 1) > LIVE_MS
        self._job = self._jobs.start(
            "render",
            lambda job: self._host.render(study, request, job),
            lane=Lane.INFERENCE,
            title=f"Computing the focus ({name})" if self._is_slow else "",
            done=self._done,
            failed=self._failed,
        )
        self.changed.emit()

    def _done(self, picture: Rendered) -> None:
        self._job = None
        self._last_ms[picture.area.engine] = picture.milliseconds
        self.rendered.emit(picture)
        self._start_next()

    def _failed(self, text: str) -> None:
        self._job = None
        self.failed.emit(text)
        self._start_next()  # with what was asked for meanwhile

    @Slot(object)
    def _ended(self, job: Job) -> None:
        if job is self._job and job.cancel.is_set():  # stopped by the user
            self._job = None
            self.changed.emit()
