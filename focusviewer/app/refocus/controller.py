"""The focus knob: the view as it would look at another focus, in the mode and at the place the panel says."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus import area as model
from focusviewer.app.refocus import words
from focusviewer.app.refocus.area import KNOB_MODES, Order, Painted, RefocusArea
from focusviewer.app.refocus.inference.engines import EngineMaker, EngineRoom, Rendered, is_slow, make_engine
from focusviewer.app.refocus.inference.renders import Renders
from focusviewer.app.refocus.inference.searches import Searches
from focusviewer.app.refocus.inference.studies import Studies
from focusviewer.app.refocus.panel import RefocusPanel
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.throttle import Throttle
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.refocus.base import acquired_plane

SLIDER_MS = 30

Painter = Callable[[], Painted]
"""Tells what is painted at the moment."""


class RefocusController(QObject):
    """Ties the Refocus panel, the inference lane and the viewport's patch together.

    Signals
    -------
    encoded : the view has been studied
    rendered : (Rendered) a synthesised picture is on screen
    patch_changed : another picture, or none, is on screen
    turned_by_user : the knob or the mode was changed by hand
    mode_changed : (mode) it may be the same, on another slide
    """

    failed = Signal(str)
    encoded = Signal()
    rendered = Signal(object)
    patch_changed = Signal()
    turned_by_user = Signal()
    mode_changed = Signal(str)
    plane_wanted = Signal(int)

    def __init__(
        self,
        jobs: Jobs,
        tiles: TileSource,
        viewport: Viewport,
        panel: RefocusPanel,
        engine_maker: EngineMaker = make_engine,
    ) -> None:
        super().__init__()
        self._viewport, self.panel = viewport, panel
        self.room = EngineRoom(engine_maker)
        self.studies = Studies(jobs, tiles, self.room)
        self.renders = Renders(jobs, self.room)
        self.searches = Searches(jobs, self.room)
        self.document: Document | None = None
        self.painter: Painter | None = None
        self.mode = "refocus"
        self.shown: Rendered | None = None
        self.step_ms = 0.0
        self._by_hand: tuple[int, ...] = ()
        self._turning_plane = False
        self._obstacle = self._limit = ""
        self._slider = Throttle(self._apply, SLIDER_MS, self)
        panel.switched.connect(self._switched)
        panel.target_changed.connect(self._target_changed)
        panel.mode_changed.connect(self._mode_chosen)
        panel.auto_requested.connect(self.auto)
        panel.all_in_focus_requested.connect(self.all_in_focus)
        panel.engine_changed.connect(self._engine_changed)
        panel.sources_changed.connect(self._sources_changed)
        viewport.rested.connect(self.view_rested)
        viewport.view_changed.connect(self._moved)
        self.studies.ready.connect(self._studied)
        self.studies.refused.connect(self._refused)
        self.studies.changed.connect(self._say)
        self.studies.failed.connect(self.failed)
        self.renders.rendered.connect(self._show)
        self.renders.changed.connect(self._say)
        self.renders.failed.connect(self._tell_failure)
        self.searches.found.connect(self._apply)
        self.searches.changed.connect(self._say)
        self.searches.failed.connect(self._tell_failure)

    @property
    def is_on(self) -> bool:
        """Whether the user has switched refocusing on."""
        return self.panel.switch.isChecked()

    @property
    def can_refocus(self) -> bool:
        """Whether it is on and nothing stands against it."""
        return self.is_on and not self._obstacle

    @property
    def engine_maker(self) -> EngineMaker:
        """What builds engines."""
        return self.room.maker

    @engine_maker.setter
    def engine_maker(self, maker: EngineMaker) -> None:
        self.room.maker = maker

    @property
    def encode_ms(self) -> float:
        """What the last study took."""
        return self.studies.milliseconds

    def show_document(self, document: Document | None) -> None:
        """Turn to another slide."""
        self._forget_view()
        self.document, self._by_hand, self._limit = document, (), ""
        self._set_mode("refocus")
        self.searches.forget()
        self._show_scan()
        if document is not None:
            self.panel.set_planes(document.planes_um, document.plane_um)
        self._check()

    def scale_changed(self) -> None:
        """The slide has got a scale: everything in um is another."""
        self.studies.clear()
        self.show_document(self.document)
        self.view_rested()

    def plane_changed(self) -> None:
        """Another acquired plane is shown: the knob follows."""
        if self.document is None or len(self.document.planes_um) < 2:
            return
        self.panel.set_home(self.document.plane_um)
        if self._turning_plane:  # by the knob
            return
        self._set_mode("refocus")
        self._limit = ""
        self.renders.stop()  # a picture on its way belongs to the plane that was left
        self._show_scan()

    @Slot()
    def auto(self) -> None:
        """Turn to the sharpest focus of this view, and of those that follow."""
        self.enter("deblur")

    @Slot()
    def all_in_focus(self) -> None:
        """Show every part at its own best focus."""
        self.enter("all-in-focus")

    def enter(self, mode: str) -> None:
        """Switch refocusing on if it is off, and to a mode."""
        if not self.is_on:
            self.panel.switch.setChecked(True)
        self._set_mode(mode)
        if self._check():
            self.view_rested()
            self._apply()

    def turn_to(self, z_um: float) -> None:
        """Turn the knob to a focus."""
        if self.mode not in KNOB_MODES:
            self._set_mode("refocus")
        self.panel.set_target(z_um)
        self.look_again()

    def toggle(self) -> None:
        """Switch refocusing on or off."""
        self.panel.switch.toggle()

    # --- the view ------------------------------------------------------------------------------------------

    def _check(self) -> bool:
        self._obstacle = model.obstacle(self.document)
        document = self.document
        unknown = document is not None and (
            document.mpp is None or (len(document.planes_um) > 1 and not document.slide.info.z_step_known)
        )
        self.panel.set_obstacle(self._obstacle, offer_scale=unknown)
        return not self._obstacle

    @Slot(bool)
    def _switched(self, on: bool) -> None:
        if on:
            self.view_rested()
            return
        self._forget_view()
        self._set_mode("refocus")
        self._limit = ""
        if self.document is not None:
            self.panel.set_target(self.document.plane_um)
        self._show_scan()
        self._check()

    @Slot()
    def view_rested(self) -> None:
        """Study what is on screen, unless that has been done."""
        possible = self._check()
        if not (self.is_on and possible and self.panel.engine_name):
            return
        assert self.document is not None
        self.studies.ask(self.document, self._area_now(self.document))

    def order(self) -> Order | None:
        """What is wished for now; None while the best focus is not known."""
        if self.mode == "paint":
            return Order("paint", None, self.painter() if self.painter is not None else None)
        if self.mode == "deblur":
            best = self.searches.best(self.studies.area)
            return None if best is None else Order("deblur", best)
        return Order(self.mode, self.panel.target_um if self.mode in KNOB_MODES else None)

    def _area_now(self, document: Document) -> RefocusArea:
        focus = (self.panel.target_um,) * 2 if self.mode in KNOB_MODES else None
        if self.mode == "paint" and self.painter is not None:
            focus = self.painter().range_um
        engine = self.panel.engine_name
        known = [area for area in self.studies.areas() if area.serves_view(document, engine)]
        planes = model.chosen_planes(document.planes_um, focus, self._by_hand, [area.planes for area in known])
        served = next((area for area in known if area.planes == planes), None)
        return served if served is not None else model.area_of(document, engine, planes)

    @Slot()
    def _moved(self) -> None:
        """The view is moving: what a slow engine still does for the old one is in vain."""
        area = self.studies.area
        if self.document is None or area is None or not is_slow(area.engine):
            return
        if not (self.studies.is_busy or self.renders.is_slow or self.searches.is_busy):
            return
        if model.obstacle(self.document) or not area.serves(model.area_of(self.document, area.engine, area.planes)):
            self._forget_view()
            self._say()

    @Slot()
    def _studied(self) -> None:
        self._say()
        self.encoded.emit()
        self._apply()

    @Slot()
    def _refused(self) -> None:
        self._check()
        self._show_scan()

    def _forget_view(self) -> None:
        self.studies.forget()
        self._slider.clear()
        self.searches.stop()
        self.renders.stop()

    # --- the knob ------------------------------------------------------------------------------------------

    def _set_mode(self, mode: str) -> None:
        if mode != self.mode:
            self.mode = mode
            self.searches.stop()
            self.renders.stop()
        self.panel.show_mode(mode)
        self.mode_changed.emit(mode)

    @Slot(str)
    def _mode_chosen(self, mode: str) -> None:
        self.turned_by_user.emit()
        self.enter(mode)

    @Slot(float)
    def _target_changed(self, z_um: float) -> None:
        self.turned_by_user.emit()
        if self.mode == "paint":
            return  # there the knob says what the brush paints
        if self.mode not in KNOB_MODES:
            self._set_mode("refocus")
        self.look_again()

    def look_again(self) -> None:
        """Show what is wished for now (the knob has turned, or the painted map is another)."""
        if self.is_on:
            self.view_rested()  # other planes may be needed, or the study was stopped
        self._slider()

    @Slot(str)
    def _engine_changed(self, name: str) -> None:
        self._forget_view()
        self.searches.forget()
        self.view_rested()

    @Slot(object)
    def _sources_changed(self, planes: tuple[int, ...]) -> None:
        self._by_hand = planes
        self.searches.forget()
        self.view_rested()

    @Slot()
    def _apply(self) -> None:
        """Show what is wished for: an acquired plane as it is, anything else rendered."""
        document, study = self.document, self.studies.current
        if document is None or not self.is_on or self._obstacle:
            return
        order = self.order()
        if order is None:
            if study is not None:
                self.searches.ask(study, document.planes_um)
            return
        z_um = order.z_um
        if self.mode == "deblur" and z_um is not None:
            self.panel.set_target(z_um)
        plane = None if z_um is None else acquired_plane(document.planes_um, z_um)
        self._limit = "" if z_um is None else model.why_not(document, z_um)
        if plane is not None:
            self._show_plane(plane)
        elif self._limit:
            self.renders.stop()
            self._show_scan()
        elif study is not None:
            self.renders.ask(study, order)

    def _show_plane(self, plane: int) -> None:
        self.renders.stop()
        self._turning_plane = True
        self.plane_wanted.emit(plane)
        self._turning_plane = False
        self._show_scan()

    @Slot(str)
    def _tell_failure(self, text: str) -> None:
        if self.mode == "defocus":  # that this focus is none is no error, and the next step of the knob may be one
            self._limit = text
            self._show_scan()
            return
        self._say()
        self.failed.emit(text)

    @Slot(object)
    def _show(self, picture: Rendered) -> None:
        assert self.document is not None
        self.step_ms = picture.milliseconds
        patch = self._viewport.patch
        patch.clear()
        patch.image, patch.zoom = picture.image, picture.area.zoom
        patch.x, patch.y = picture.area.rect[:2]
        patch.badge = model.badge_text(picture.mode, picture.z_um)
        patch.detail = model.source_text(picture.area, len(self.document.planes_um))
        self.shown = picture
        self._say()
        self._viewport.update()
        self.patch_changed.emit()
        self.rendered.emit(picture)

    def _show_scan(self) -> None:
        self.shown = None
        self._viewport.patch.clear()
        self._viewport.update()
        self._say()
        self.patch_changed.emit()

    @Slot()
    def _say(self) -> None:
        study, text = self.studies.current, ""
        best = self.searches.best(study.area) if study is not None and self.mode == "deblur" else None
        if self.studies.is_busy:
            text = "Studying the view…"
        elif self.searches.is_busy:
            text = "Looking for the best focus…"
        elif self.renders.is_slow:
            text = "Computing… The picture is the last one until then."
        elif self._limit:
            text = self._limit
        elif self.shown is not None:
            text = words.made_text(self.shown.area, study.encoded if study is not None else None, self.mode, best)
        elif study is not None and self.is_on:
            text = words.scan_text(study.area, study.encoded, best)
        if study is not None and self.is_on:
            text = " ".join([text, *study.encoded.notes]).strip()
        self.panel.set_state(text, synthesised=self.shown is not None)
