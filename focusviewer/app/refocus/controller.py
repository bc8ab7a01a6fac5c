"""The focus knob: the view at another focus, as the state asks."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus.area import area_of, obstacle, wanted_area
from focusviewer.app.refocus.display import RefocusDisplay
from focusviewer.app.refocus.inference.engines import EngineHost, EngineMaker, Rendered, is_slow, make_engine
from focusviewer.app.refocus.inference.renders import Renders
from focusviewer.app.refocus.inference.searches import Searches
from focusviewer.app.refocus.inference.studies import Studies
from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.throttle import Throttle
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport

SLIDER_MS = 30


class RefocusController(QObject):
    """Ties the state, the inference lane and the viewport's patch together.

    Signals
    -------
    encoded : the view has been studied
    rendered : (Rendered) a synthesised picture is on screen
    patch_changed : another picture, or none, is on screen
    turned_by_user : the user has changed the knob or the mode
    mode_changed : (mode) also emitted for another slide in the same mode
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
        state: RefocusState,
        engine_maker: EngineMaker = make_engine,
    ) -> None:
        super().__init__()
        self._viewport, self.state = viewport, state
        self.host = EngineHost(engine_maker)
        self.studies = Studies(jobs, tiles, self.host)
        self.renders = Renders(jobs, self.host)
        self.searches = Searches(jobs, self.host)
        self.display = RefocusDisplay(viewport, state, self.studies, self.renders, self.searches)
        self._sources: tuple[int, ...] = ()
        self._slider = Throttle(self.display.apply, SLIDER_MS, self)
        self._connect()

    def _connect(self) -> None:
        events = self.state.events
        events.is_on.connect(self._switched)
        events.mode.connect(self._mode_changed)
        events.engine.connect(self._engine_changed)
        events.manual_sources.connect(self._sources_changed)
        events.checked.connect(self._sources_changed)
        self.state.turned.connect(self._turned)
        self._viewport.rested.connect(self.view_rested)
        self._viewport.view_changed.connect(self._moved)
        self.studies.ready.connect(self._studied)
        self.studies.refused.connect(self._refused)
        self.studies.failed.connect(self.failed)
        self.display.failed.connect(self.failed)
        self.display.rendered.connect(self.rendered)
        self.display.patch_changed.connect(self.patch_changed)
        self.display.plane_wanted.connect(self.plane_wanted)

    @property
    def engine_maker(self) -> EngineMaker:
        """What builds engines."""
        return self.host.maker

    @engine_maker.setter
    def engine_maker(self, maker: EngineMaker) -> None:
        self.host.maker = maker

    @property
    def document(self) -> Document | None:
        """The slide that is refocused."""
        return self.display.document

    @property
    def shown(self) -> Rendered | None:
        """The synthesised picture that is on screen."""
        return self.display.shown

    @property
    def encode_ms(self) -> float:
        """What the last study took."""
        return self.studies.milliseconds

    def show_document(self, document: Document | None) -> None:
        """Refocus another slide."""
        self._forget_view()
        self.display.document, self._sources = document, ()
        if document is not None:
            self.state.show_slide(document.planes_um, document.plane_um)
        self._set_mode(self.state.resting_mode)
        self.searches.forget()
        self.display.show_scan()
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
        self.state.show_plane(self.document.plane_um)
        if self.display.is_turning_plane:  # by the knob
            return
        self._set_mode(self.state.resting_mode)
        self.renders.stop()  # a picture that is being rendered belongs to the plane before
        self.display.show_scan()

    @Slot()
    def auto(self) -> None:
        """Turn to the sharpest focus of this view, and of every later one."""
        self.enter("deblur")

    @Slot()
    def all_in_focus(self) -> None:
        """Show every part at its own best focus."""
        self.enter("all-in-focus")

    @Slot(str)
    def choose_mode(self, mode: str) -> None:
        """Refocus in the mode that the user has chosen, also when it is the present one."""
        self.turned_by_user.emit()
        self.enter(mode)

    def enter(self, mode: str) -> None:
        """Switch refocusing on if it is off, and to a mode."""
        self.state.is_on = True
        self._set_mode(mode)
        if self._check():
            self.view_rested()
            self.display.apply()

    def turn_to(self, z_um: float) -> None:
        """Turn the knob to a focus, not as the user."""
        if self.state.knob_um is None:
            self._set_mode(self.state.resting_mode)
        self.state.move(z_um)
        self.look_again()

    def toggle(self) -> None:
        """Switch refocusing on or off."""
        self.state.is_on = not self.state.is_on

    # --- the view ------------------------------------------------------------------------------------------

    def _check(self) -> bool:
        document = self.document
        self.state.obstacle = obstacle(document)
        self.state.offers_scale = document is not None and (
            (document.mpp is None and document.slide.info.not_square is None)
            or (len(document.planes_um) > 1 and not document.slide.info.z_step_known)
        )
        return not self.state.obstacle

    def _switched(self, on: bool) -> None:
        if on:
            self.view_rested()
            return
        self._forget_view()
        self._set_mode(self.state.resting_mode)
        if self.document is not None:
            self.state.move(self.document.plane_um)
        self.display.show_scan()
        self._check()

    @Slot()
    def view_rested(self) -> None:
        """Study what is on screen, unless that has been done."""
        possible = self._check()
        if not (self.state.is_on and possible and self.state.engine):
            return
        assert self.document is not None
        focus, studied = self.display.focus_um(), self.studies.areas()
        area = wanted_area(self.document, self.state.engine, focus, self._sources, studied)
        self.studies.ask(self.document, area)

    @Slot()
    def _moved(self) -> None:
        """The view is moving: stop what a slow engine still does for the old one."""
        area = self.studies.area
        if self.document is None or area is None or not is_slow(area.engine):
            return
        if not (self.studies.is_busy or self.renders.is_slow or self.searches.is_busy):
            return
        if obstacle(self.document) or not area.covers(area_of(self.document, area.engine, area.planes)):
            self._forget_view()
            self.display.update_status()

    @Slot()
    def _studied(self) -> None:
        self.display.update_status()
        self.encoded.emit()
        self.display.apply()

    @Slot()
    def _refused(self) -> None:
        self._check()
        self.display.show_scan()

    def _forget_view(self) -> None:
        self.studies.forget()
        self._slider.clear()
        self.searches.stop()
        self.renders.stop()

    # --- the knob ------------------------------------------------------------------------------------------

    def _set_mode(self, mode: str) -> None:
        if mode != self.state.mode:
            self.state.mode = mode
        else:
            self.mode_changed.emit(mode)

    def _mode_changed(self, mode: str) -> None:
        self.searches.stop()
        self.renders.stop()
        self.mode_changed.emit(mode)

    def _turned(self) -> None:
        self.turned_by_user.emit()
        if self.state.mode != "paint":  # there the knob sets the focus of the brush
            self.look_again()

    def look_again(self) -> None:
        """Show what is asked for now (the knob has turned, or the painted map is another)."""
        if self.state.is_on:
            self.view_rested()  # other planes may be needed, or the study was stopped
        self._slider()

    def _engine_changed(self) -> None:
        self._forget_view()
        self.searches.forget()
        self.view_rested()

    def _sources_changed(self) -> None:
        if self.state.sources != self._sources:
            self._sources = self.state.sources
            self.searches.forget()
            self.view_rested()
