"""What is on screen while a view is refocused: an acquired plane, a rendered picture, or the scan with the reason."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus.area import Painted, RefocusRequest, badge_text, range_limit, source_text
from focusviewer.app.refocus.inference.engines import Rendered, Study
from focusviewer.app.refocus.inference.renders import Renders
from focusviewer.app.refocus.inference.searches import Searches
from focusviewer.app.refocus.inference.studies import Studies
from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.refocus.status import status_text, work_text
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.refocus.base import acquired_plane

PaintingSource = Callable[[], Painted]
"""Gives what is painted at the moment."""


class RefocusDisplay(QObject):
    """Puts on the viewport what the state asks for, as far as the view has been studied, and describes it.

    Signals
    -------
    rendered : (Rendered) a synthesised picture is on screen
    patch_changed : another picture, or none, is on screen
    plane_wanted : (plane) an acquired plane is what was asked for

    Attributes
    ----------
    painting_source : callable, optional
        Gives what is painted; called while the mode is ``paint``.
    shown : Rendered, optional
        The synthesised picture that is on screen.
    """

    failed = Signal(str)
    rendered = Signal(object)
    patch_changed = Signal()
    plane_wanted = Signal(int)

    def __init__(
        self, viewport: Viewport, state: RefocusState, studies: Studies, renders: Renders, searches: Searches
    ) -> None:
        super().__init__()
        self._viewport, self._state = viewport, state
        self._studies, self._renders, self._searches = studies, renders, searches
        self.document: Document | None = None
        self.painting_source: PaintingSource | None = None
        self.shown: Rendered | None = None
        self.is_turning_plane = False
        self._limit = ""
        studies.changed.connect(self.update_status)
        renders.rendered.connect(self._show)
        renders.changed.connect(self.update_status)
        renders.failed.connect(self._show_failure)
        searches.found.connect(self.apply)
        searches.changed.connect(self.update_status)
        searches.failed.connect(self._show_failure)

    def request(self) -> RefocusRequest | None:
        """What is to be shown now; None while the best focus is not known."""
        mode = self._state.mode
        if mode == "paint":
            return RefocusRequest(mode, None, self.painting_source() if self.painting_source is not None else None)
        if mode == "deblur":
            best = self._searches.best(self._studies.area)
            return None if best is None else RefocusRequest(mode, best)
        return RefocusRequest(mode, self._state.knob_um)

    def focus_um(self) -> tuple[float, float] | None:
        """Lowest and highest focus that is to be shown; None where it depends on the content of the view."""
        if self._state.mode == "paint" and self.painting_source is not None:
            return self.painting_source().range_um
        knob = self._state.knob_um
        return None if knob is None else (knob, knob)

    @Slot()
    def apply(self) -> None:
        """Show what is asked for: an acquired plane as it is, anything else rendered."""
        document, study = self.document, self._studies.current
        if document is None or not self._state.can_refocus:
            return
        request = self.request()
        if request is None:
            if study is not None:
                self._searches.ask(study, document.planes_um)
            return
        z_um = request.z_um
        if request.mode == "deblur" and z_um is not None:
            self._state.move(z_um)
        plane = None if z_um is None else acquired_plane(document.planes_um, z_um)
        self._limit = "" if z_um is None else range_limit(document, z_um)
        if plane is not None:
            self._show_plane(plane)
        elif self._limit:
            self._renders.stop()
            self._show_scan()
        elif study is not None:
            self._renders.ask(study, request)

    def _show_plane(self, plane: int) -> None:
        self._renders.stop()
        self.is_turning_plane = True
        self.plane_wanted.emit(plane)
        self.is_turning_plane = False
        self._show_scan()

    def show_scan(self) -> None:
        """Show the scanned pixels, whatever was asked for."""
        self._limit = ""
        self._show_scan()

    def _show_scan(self) -> None:
        self.shown = None
        self._viewport.patch.clear()
        self._viewport.update()
        self.update_status()
        self.patch_changed.emit()

    @Slot(object)
    def _show(self, picture: Rendered) -> None:
        assert self.document is not None
        patch = self._viewport.patch
        patch.clear()
        patch.image, patch.zoom = picture.image, picture.area.zoom
        patch.x, patch.y = picture.area.rect[:2]
        patch.badge = badge_text(picture.mode, picture.z_um, picture.area.planes_um)
        patch.detail = source_text(picture.area, len(self.document.planes_um))
        self.shown = picture
        self.update_status()
        self._viewport.update()
        self.patch_changed.emit()
        self.rendered.emit(picture)

    @Slot(str)
    def _show_failure(self, text: str) -> None:
        if self._state.mode == "defocus":  # this focus would sharpen instead of blur; the next step may blur again
            self._limit = text
            self._show_scan()
            return
        self.update_status()
        self.failed.emit(text)

    @Slot()
    def update_status(self) -> None:
        """Write into the state what is on screen, and what is being worked on."""
        state, study = self._state, self._studies.current
        busy = self._studies.is_busy, self._searches.is_busy, self._renders.is_slow
        searched = study.area if study is not None and state.mode == "deblur" else None
        left = self._searches.left_out(searched)
        state.synthesised = self.shown is not None
        state.offers_all_in_focus = left is not None and not any(busy)
        self._show_guess(study)
        state.status = status_text(
            state,
            work=work_text(studying=busy[0], searching=busy[1], rendering=busy[2]),
            limit=self._limit,
            shown=self.shown.area if self.shown is not None else None,
            known=(study.area, study.encoded) if study is not None else None,
            auto_um=self._searches.best(searched),
            offer=left.text("µm") if left is not None else "",
            assumed=self.shown.encoded if self.shown is not None and self.shown.mode == "assume" else None,
        )

    def _show_guess(self, study: Study | None) -> None:
        """Write into the state where the tissue of one plane is believed to lie."""
        if study is None or len(study.area.planes_um) > 1 or not self._state.is_on:
            self._state.guess_um = self._state.likely_um = None
            return
        found = self._searches.best(study.area)
        self._state.guess_um = study.encoded.best_z_um if found is None else found
        self._state.likely_um = study.encoded.likely_um
