"""Searching for the sharpest focus of a view, once for each view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus.area import RefocusArea, z_range
from focusviewer.app.refocus.inference.engines import EngineHost, Study
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.refocus.base import MAX_Z_UM

if TYPE_CHECKING:
    from focusviewer.refocus.evidence.unevenness import LeftOut


class Searches(QObject):
    """Remembers what was found for the views of a slide.

    Signals
    -------
    found : the best focus of the view that was asked for is known
    changed : a search has begun, ended or was stopped
    """

    found = Signal()
    changed = Signal()
    failed = Signal(str)

    def __init__(self, jobs: Jobs, host: EngineHost) -> None:
        super().__init__()
        self._jobs, self._host = jobs, host
        self._best: dict[RefocusArea, tuple[float, LeftOut | None]] = {}
        jobs.ended.connect(self._ended)

    @property
    def is_busy(self) -> bool:
        """Whether a focus is being looked for."""
        return bool(self._jobs.running("auto"))

    def best(self, area: RefocusArea | None) -> float | None:
        """The best focus of a view, um; None while it is not known."""
        found = None if area is None else self._best.get(area)
        return None if found is None else found[0]

    def left_out(self, area: RefocusArea | None) -> LeftOut | None:
        """The tissue of a view that its best focus leaves out, where that is much."""
        found = None if area is None else self._best.get(area)
        return None if found is None else found[1]

    def ask(self, study: Study, planes_um: tuple[float, ...]) -> None:
        """Look for the best focus of a view on a slide with these planes."""
        low, high = z_range(planes_um)
        low = max(low, study.area.planes_um[0] - MAX_Z_UM)
        high = min(high, study.area.planes_um[-1] + MAX_Z_UM)

        def work(job: Job) -> tuple[float, LeftOut | None]:
            z_um = self._host.best_z(study, low, high, job)
            return z_um, self._host.left_out(study, z_um)

        def done(found: tuple[float, LeftOut | None]) -> None:
            self._best[study.area] = found
            self.found.emit()
            self.changed.emit()

        self._jobs.start(
            "auto",
            work,
            lane=Lane.INFERENCE,
            title="Finding the best focus",
            done=done,
            failed=self.failed.emit,
        )
        self.changed.emit()

    def stop(self) -> None:
        """Stop searching; what was found stays."""
        self._jobs.cancel("auto")

    def forget(self) -> None:
        """Forget what was found: it is no longer valid."""
        self.stop()
        self._best.clear()

    @Slot(object)
    def _ended(self, job: Job) -> None:
        if job.kind == "auto" and job.cancel.is_set():
            self.changed.emit()
