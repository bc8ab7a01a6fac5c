"""Saving what is on screen, with what is known about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from focusviewer import __version__
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.saving.writer import FileWriter
from focusviewer.app.services.jobs import Job, Jobs
from focusviewer.app.services.pixels import from_qimage, save_picture
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.viewport import Viewport

SOFTWARE = f"FocusViewer {__version__}"

NO_PICTURE = "There is no refocused picture to save. Switch Refocus on and turn the knob."


class SavingController(FileWriter):
    """Writes pictures in the files lane."""

    def __init__(self, jobs: Jobs, viewport: Viewport, refocus: RefocusController, slides: SlideController) -> None:
        super().__init__(jobs, slides)
        self._viewport, self._refocus = viewport, refocus

    def snapshot(self, path: Path) -> None:
        """Save what the picture shows."""
        document = self._viewport.document
        if document is None:
            return
        image = self._viewport.grab().toImage()
        metadata: dict[str, Any] = {
            "Source": document.name,
            "Fingerprint": document.slide.fingerprint,
            "Region": [round(value) for value in document.view.rect()],
            "Plane": f"{document.view.plane + 1} of {len(document.planes_um)}",
        }
        if document.slide.info.z_step_known:
            metadata["PlaneUm"] = document.plane_um
        metadata["Software"] = SOFTWARE
        shown = self._refocus.shown if self._viewport.patch.is_shown else None
        mpp = document.mpp / document.view.scale if document.mpp else None

        def work(job: Job) -> None:
            synthesis = {} if shown is None else {"Synthesised": self._refocus.host.provenance(document, shown)}
            save_picture(path, from_qimage(image), {**metadata, **synthesis}, mpp)

        self._write(path, work, essential=True)

    def save_refocused(self, path: Path) -> None:
        """Save the synthesised pixels."""
        shown = self._refocus.shown
        if shown is None:
            self.failed.emit(NO_PICTURE)
            return
        document = self._refocus.document
        assert document is not None

        def work(job: Job) -> None:
            save_picture(path, shown.pixels, self._refocus.host.provenance(document, shown), shown.area.mpp)

        self._write(path, work, essential=True)
