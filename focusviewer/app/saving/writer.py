"""Writing a file as a job: never over an open slide, and never twice at the same time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.slides.controller import SlideController


class FileWriter(QObject):
    """Base of what saves files.

    Signals
    -------
    saved : (path) the file is written
    failed : (text) it is not, and why
    """

    saved = Signal(object)
    failed = Signal(str)

    def __init__(self, jobs: Jobs, slides: SlideController) -> None:
        super().__init__()
        self._jobs, self._slides = jobs, slides

    def _write(
        self,
        path: Path,
        work: Callable[[Job], None],
        *,
        lane: Lane = Lane.FILES,
        essential: bool = False,
        needs: object = None,
    ) -> None:
        """Start a job that writes a file, if it may be written; the parameters are those of :meth:`Jobs.start`."""
        refusal = self._refusal(path)
        if refusal:
            self.failed.emit(refusal)
            return
        self._jobs.start(
            f"save {path}",
            work,
            lane=lane,
            title=f"Saving {path.name}",
            done=lambda _: self.saved.emit(path),
            failed=self.failed.emit,
            essential=essential,
            needs=needs,
        )

    def _refusal(self, path: Path) -> str:
        """Why a file must not be written, as a sentence; empty when it may."""
        name = self._slides.state.overwritten_by(path)
        if name:
            return f"{name} is open, and saving would replace it. Choose another file."
        if self._jobs.running(f"save {path}"):  # a new job would stop the one that is running
            return f"{path.name} is being saved already. Wait for it, stop it below, or choose another file."
        return ""
