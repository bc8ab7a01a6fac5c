"""Saving what is on screen, with what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from focusviewer import __version__
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import from_qimage, save_picture
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.viewport import Viewport

SOFTWARE = f"FocusViewer {__version__}"


def why_not(path: Path, slides: SlideController, jobs: Jobs) -> str:
    """Why a file must not be written, as a sentence; empty when it may."""
    name = slides.state.overwritten_by(path)
    if name:
        return f"{name} is open, and saving would replace it. Choose another file."
    if jobs.running(f"save {path}"):  # what is begun would be stopped unasked
        return f"{path.name} is being saved already. Wait for it, stop it below, or choose another file."
    return ""


class SavingController(QObject):
    """Writes pictures in the files lane."""

    saved = Signal(object)
    failed = Signal(str)

    def __init__(self, jobs: Jobs, viewport: Viewport, refocus: RefocusController, slides: SlideController) -> None:
        super().__init__()
        self._jobs, self._viewport, self._refocus, self._slides = jobs, viewport, refocus, slides

    def snapshot(self, path: Path) -> None:
        """Save what the picture shows."""
        document = self._viewport.document
        if document is None:
            return
        image = self._viewport.grab().toImage()
        facts: dict[str, Any] = {
            "Source": document.name,
            "Fingerprint": document.slide.fingerprint,
            "Region": [round(value) for value in document.view.rect()],
            "Plane": f"{document.view.plane + 1} of {len(document.planes_um)}",
        }
        if document.slide.info.z_step_known:
            facts["PlaneUm"] = document.plane_um
        facts["Software"] = SOFTWARE
        shown = self._refocus.shown if self._viewport.patch.is_shown else None
        mpp = document.mpp / document.view.scale if document.mpp else None

        def work(job: Job) -> None:
            synthesis = {} if shown is None else {"Synthesised": self._refocus.host.facts(document, shown)}
            save_picture(path, from_qimage(image), {**facts, **synthesis}, mpp)

        self._save(path, work)

    def save_refocused(self, path: Path) -> None:
        """Save the synthesised pixels."""
        shown = self._refocus.shown
        if shown is None:
            self.failed.emit("There is no refocused picture to save. Switch Refocus on and turn the knob.")
            return
        document = self._refocus.document
        assert document is not None

        def work(job: Job) -> None:
            save_picture(path, shown.pixels, self._refocus.host.facts(document, shown), shown.area.mpp)

        self._save(path, work)

    def _save(self, path: Path, work: Callable[[Job], None]) -> None:
        refused = why_not(path, self._slides, self._jobs)
        if refused:
            self.failed.emit(refused)
            return
        self._jobs.start(
            f"save {path}",
            work,
            lane=Lane.FILES,
            title=f"Saving {path.name}",
            done=lambda _: self.saved.emit(path),
            failed=self.failed.emit,
            essential=True,
        )
