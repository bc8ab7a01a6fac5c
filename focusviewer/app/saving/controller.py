"""Saving what is on screen, with what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QImage

from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.refocus.inference.engines import EngineHost, Rendered
from focusviewer.app.saving.writer import FileWriter
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import from_qimage
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.slides import computed_pixels
from focusviewer.slides.marks import STATEMENT
from focusviewer.slides.marks.picture_file import png_bytes, write_picture

SNAPSHOT = "what a window of FocusViewer showed"

NO_PICTURE = "There is no refocused picture to save. Switch Refocus on and turn the knob."


@dataclass(frozen=True)
class Snapshot:
    """What a viewport showed at one moment.

    Attributes
    ----------
    shown : Rendered or None
        The synthesised picture on it, where any of one was to be seen.
    region : tuple of int
        x, y, width, height in level-0 pixels.
    mpp : float or None
        Size of a pixel of the screen, um.
    """

    image: QImage
    document: Document
    shown: Rendered | None
    plane: int
    region: tuple[int, ...]
    mpp: float | None

    def facts(self, host: EngineHost) -> dict[str, Any]:
        """What its file says of it; with the mark of computed pixels where it, or the slide itself, has some."""
        document, info = self.document, self.document.slide.info
        made = {} if self.shown is None else host.provenance(document, self.shown)
        computed = computed_pixels(info)
        synthesised = self.shown is not None or computed is not None
        facts: dict[str, Any] = {
            "statement": STATEMENT if synthesised else "a view of the scan",
            "source": document.name,
            "fingerprint": info.fingerprint,
            "region": list(self.region),
            "plane": f"{self.plane + 1} of {len(document.planes_um)}",
            "synthesised": synthesised,
        }
        if info.z_step_known:
            facts["plane_um"] = document.planes_um[self.plane]
        if computed is not None:
            facts["source_computed"] = computed
        return {**facts, "refocused": made} if made else facts


class SavingController(FileWriter):
    """Writes pictures in the files lane.

    Signals
    -------
    copied : a picture is on the clipboard
    """

    copied = Signal()

    def __init__(self, jobs: Jobs, viewport: Viewport, refocus: RefocusController, slides: SlideController) -> None:
        super().__init__(jobs, slides)
        self._viewport, self._refocus = viewport, refocus

    def snapshot(self, path: Path) -> None:
        """Save what the picture shows."""
        taken = self._taken()
        if taken is None:
            return

        def work(job: Job) -> None:
            write_picture(path, from_qimage(taken.image), SNAPSHOT, taken.facts(self._refocus.host), taken.mpp)

        self._write(path, work, essential=True)

    def copy_view(self) -> None:
        """Put what the picture shows on the clipboard, as a picture that says what it is."""
        taken = self._taken()
        if taken is None:
            return

        def work(job: Job) -> bytes:
            return png_bytes(from_qimage(taken.image), SNAPSHOT, taken.facts(self._refocus.host), taken.mpp)

        def copy(png: bytes) -> None:
            clipboard = QGuiApplication.clipboard()
            clipboard.setImage(taken.image)
            # Programs that take the file itself get the mark with it. The content is Qt's own object: one made here
            # would be destroyed after Python has ended, which ends the program with a crash.
            clipboard.mimeData().setData("image/png", png)
            self.copied.emit()

        self._jobs.start(
            "copy the view", work, lane=Lane.FILES, title="Copying the view", done=copy, failed=self.failed.emit
        )

    def _taken(self) -> Snapshot | None:
        document = self._viewport.document
        if document is None:
            return None
        shown = self._refocus.shown if self._viewport.patch.is_shown else None
        mpp = document.mpp / document.view.scale if document.mpp else None
        region = tuple(round(value) for value in document.view.rect())
        return Snapshot(self._viewport.grab().toImage(), document, shown, document.view.plane, region, mpp)

    def save_refocused(self, path: Path) -> None:
        """Save the synthesised pixels."""
        shown = self._refocus.shown
        if shown is None:
            self.failed.emit(NO_PICTURE)
            return
        document = self._refocus.document
        assert document is not None

        def work(job: Job) -> None:
            facts = self._refocus.host.provenance(document, shown)
            write_picture(path, shown.pixels, f"refocused by FocusViewer; {facts['statement']}", facts, shown.area.mpp)

        self._write(path, work, essential=True)
