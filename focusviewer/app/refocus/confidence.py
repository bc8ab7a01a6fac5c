"""How well the refocused picture agrees with the scan: computed when the knob rests, dropped when it turns."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.refocus.inference.engines import Rendered, Study
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import rgba_to_qimage
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.core.arrays import FloatMap

REST_MS = 300
TURQUOISE = (0, 200, 180)  # far from every stain
MAX_ALPHA = 190


class ConfidenceController(QObject):
    """Fills the state's line and the tint over the picture; ``changed`` is emitted with another tint."""

    changed = Signal()

    def __init__(self, jobs: Jobs, viewport: Viewport, refocus: RefocusController) -> None:
        super().__init__()
        self._jobs, self._viewport, self._refocus, self._state = jobs, viewport, refocus, refocus.state
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._compute)
        self._state.events.confidence_shown.connect(self._show)
        refocus.patch_changed.connect(self._forget)
        refocus.turned_by_user.connect(self._stop)
        refocus.rendered.connect(self._rendered)

    def _show(self, on: bool) -> None:
        self._viewport.patch.tint_visible = on
        self._viewport.update()
        self.changed.emit()

    @Slot()
    def _stop(self) -> None:
        self._timer.stop()
        self._jobs.cancel("confidence")

    @Slot()
    def _forget(self) -> None:
        self._stop()
        self._state.confidence = ""

    @Slot()
    def _rendered(self) -> None:
        self._timer.start()

    @Slot()
    def _compute(self) -> None:
        picture, study = self._refocus.shown, self._refocus.studies.current
        if picture is None or study is None or study.area != picture.area:
            return

        def work(job: Job) -> tuple[str, QImage]:
            return confidence_of(study, picture)

        def done(result: tuple[str, QImage]) -> None:
            text, tint = result
            if self._refocus.shown is picture:
                self._state.confidence = text
                self._viewport.patch.tint = tint
                self._show(self._state.confidence_shown)

        def failed(text: str) -> None:
            self._state.confidence = text

        self._jobs.start("confidence", work, lane=Lane.INFERENCE, done=done, failed=failed)


def confidence_of(study: Study, picture: Rendered) -> tuple[str, QImage]:
    """Blur a picture back to its scan: how well they agree in words, and where as a tint (in a worker)."""
    from focusviewer.refocus.confidence import confidence

    found = confidence(picture.encoded, study.images, picture.pixels, picture.target_um)
    return confidence_text(found), tint_of(found.trust)


def confidence_text(found: Any) -> str:
    """A :class:`focusviewer.refocus.confidence.Confidence` in words."""
    beyond = (
        f", {100 * found.beyond:.1f}\u00a0% beyond the lights and darks of the scan" if found.beyond >= 0.0005 else ""
    )
    glass = "" if found.background_change < 1 else f"  ·  empty glass ±{found.background_change:.0f}"
    return (
        f"Re-blur consistency {found.reblur_db:.1f}\u00a0dB  ·  "
        f"residual energy {100 * found.residual_energy:.0f}\u00a0%{glass}  ·  "
        f"{100 * found.not_borne_out:.1f}\u00a0% of the picture not borne out{beyond}"
    )


def tint_of(confidence: FloatMap) -> QImage:
    """Turquoise where the scan does not support the picture: an image of half the size."""
    half = confidence[::2, ::2]
    rgba = np.empty((*half.shape, 4), np.uint8)
    rgba[..., :3] = TURQUOISE
    rgba[..., 3] = np.rint(MAX_ALPHA * (1 - np.clip(half, 0, 1)))
    return rgba_to_qimage(rgba)
