"""Saving what is on screen, with what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from focusviewer import __version__
from focusviewer.app.controllers.refocus import RefocusController
from focusviewer.app.jobs import Job, Jobs, Lane
from focusviewer.app.pixels import from_qimage, save_picture
from focusviewer.app.views.viewport import Viewport

SOFTWARE = f"FocusViewer {__version__}"


class SavingController(QObject):
    """Writes pictures in the files lane."""

    saved = Signal(object)
    failed = Signal(str)

    def __init__(self, jobs: Jobs, viewport: Viewport, refocus: RefocusController) -> None:
        super().__init__()
        self._jobs, self._viewport, self._refocus = jobs, viewport, refocus

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
        if self._refocus.shown is not None:
            facts.update(self._refocus.facts())
        facts["Software"] = SOFTWARE
        mpp = document.mpp / document.view.scale if document.mpp else None
        self._save(path, lambda job: save_picture(path, from_qimage(image), facts, mpp))

    def save_refocused(self, path: Path) -> None:
        """Save the synthesised pixels."""
        shown = self._refocus.shown
        if shown is None:
            self.failed.emit("There is no refocused picture to save. Switch Refocus on and turn the knob.")
            return
        facts = {**self._refocus.facts(), "Software": SOFTWARE}
        self._save(path, lambda job: save_picture(path, shown.pixels, facts, shown.area.mpp))

    def _save(self, path: Path, work: Callable[[Job], None]) -> None:
        self._jobs.start(
            f"save {path}",
            work,
            lane=Lane.FILES,
            title=f"Saving {path.name}",
            done=lambda _: self.saved.emit(path),
            failed=self.failed.emit,
            essential=True,
        )
