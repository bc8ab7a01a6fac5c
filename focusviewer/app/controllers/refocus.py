"""The focus knob: studies the view when it rests, then renders it for every position of the slider."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from focusviewer.app.controllers.tiles import TileSource
from focusviewer.app.heavy import import_torch
from focusviewer.app.jobs import Job, Jobs, Lane
from focusviewer.app.models import refocus as model
from focusviewer.app.models.document import Document
from focusviewer.app.models.refocus import RefocusArea
from focusviewer.app.pixels import read_rect, to_qimage
from focusviewer.app.throttle import Throttle
from focusviewer.app.views.refocus_panel import RefocusPanel
from focusviewer.app.views.viewport import Viewport
from focusviewer.focus.base import ModelEntry
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.slides import RGB

SLIDER_MS = 30
KEPT_VIEWS = 3

EngineMaker = Callable[[str], Refocuser]


def make_engine(name: str) -> Refocuser:
    """Build an engine (in a worker: it may import torch)."""
    from focusviewer.refocus import get_engine

    import_torch()
    return get_engine(name)


@dataclass(frozen=True)
class Rendered:
    """A synthesised picture and what it is."""

    area: RefocusArea
    z_um: float | None  # None: all in focus
    pixels: RGB
    image: QImage
    engine_version: str
    milliseconds: float


class RefocusController(QObject):
    """Ties the Refocus panel, the inference lane and the viewport's patch together."""

    failed = Signal(str)
    encoded = Signal()
    rendered = Signal(object)  # Rendered
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
        self._jobs, self._tiles, self._viewport, self.panel = jobs, tiles, viewport, panel
        self.engine_maker = engine_maker
        self._engines: dict[str, Refocuser] = {}  # touched by the inference thread only
        self._kept: OrderedDict[RefocusArea, Encoded] = OrderedDict()
        self._document: Document | None = None
        self._area: RefocusArea | None = None
        self._all_in_focus = False
        self._auto_waits = False
        self._rendering = False
        self._next: tuple[RefocusArea, float | None] | None = None
        self._study: Job | None = None
        self.shown: Rendered | None = None
        self.encode_ms = self.step_ms = 0.0
        self._slider = Throttle(self._apply, SLIDER_MS, self)
        panel.switched.connect(self._switched)
        panel.target_changed.connect(self._target_changed)
        panel.auto_requested.connect(self.auto)
        panel.all_in_focus_requested.connect(self.all_in_focus)
        panel.engine_changed.connect(self._engine_changed)
        viewport.rested.connect(self._rested)
        jobs.ended.connect(self._job_ended)

    def load_engines(self, wanted: str) -> None:
        """Fill the panel's list (the registry is imported in a worker)."""

        def work(job: Job) -> tuple[list[ModelEntry], str, str]:
            from focusviewer import refocus

            return refocus.engines(), wanted, refocus.DEFAULT_ENGINE

        def done(found: tuple[list[ModelEntry], str, str]) -> None:
            self.panel.set_engines(*found)
            self._rested()

        self._jobs.start("engines", work, lane=Lane.INFERENCE, done=done, failed=self.failed.emit)

    @property
    def is_on(self) -> bool:
        """Whether the user has switched refocusing on."""
        return self.panel.switch.isChecked()

    def show_document(self, document: Document | None) -> None:
        """Turn to another slide."""
        self._forget_view()
        self._document = document
        self._show_scan()
        if document is not None:
            self.panel.set_planes(document.planes_um, document.plane_um)
        self._check()

    def scale_changed(self) -> None:
        """The slide has got a scale: everything in um is another."""
        self._kept.clear()
        self.show_document(self._document)
        self._rested()

    def plane_changed(self) -> None:
        """Another acquired plane is shown: the knob follows."""
        if self._document is None or len(self._document.planes_um) < 2:
            return
        self._all_in_focus = self._auto_waits = False
        self._stop_rendering()  # a picture on its way belongs to the plane that was left
        self.panel.set_planes(self._document.planes_um, self._document.plane_um)
        self._show_scan()

    @Slot()
    def auto(self) -> None:
        """Turn to the sharpest focus of this view."""
        if not self._ready():
            return
        self._all_in_focus, self._auto_waits = False, True
        self._after_encoding()

    @Slot()
    def all_in_focus(self) -> None:
        """Show every part at its own best focus."""
        if not self._ready():
            return
        self._all_in_focus, self._auto_waits = True, False
        self._after_encoding()

    def toggle(self) -> None:
        """Switch refocusing on or off."""
        self.panel.switch.toggle()

    # --- the view ------------------------------------------------------------------------------------------

    def _check(self) -> bool:
        reason = model.obstacle(self._document)
        document = self._document
        unknown = document is not None and (
            document.mpp is None or (len(document.planes_um) > 1 and not document.slide.info.z_step_known)
        )
        self.panel.set_obstacle(reason, offer_scale=unknown)
        return not reason

    def _ready(self) -> bool:
        if not self.is_on:
            self.panel.switch.setChecked(True)
        return self._study_again()

    def _study_again(self) -> bool:
        """Study the view if that was stopped or went wrong; returns whether the view can be refocused at all."""
        if self._area is None:
            self._rested()
        return self._check()

    @Slot(bool)
    def _switched(self, on: bool) -> None:
        if on:
            self._rested()
        else:
            self._forget_view()
            if self._document is not None:
                self.panel.set_target(self._document.plane_um)
            self._show_scan()
            self._check()

    @Slot()
    def _rested(self) -> None:
        """Study what is on screen, unless that has been done."""
        possible = self._check()
        if not (self.is_on and possible and self.panel.engine_name):
            return
        assert self._document is not None
        area = model.area_of(self._document, self.panel.engine_name)
        if area == self._area:
            return
        self._area = area
        if area in self._kept:
            self._kept.move_to_end(area)
            self._after_encoding()
        else:
            self._encode(self._document, area)

    def _encode(self, document: Document, area: RefocusArea) -> None:
        def work(job: Job) -> tuple[Encoded, float]:
            cached = self._tiles.cached_pixels
            images = [
                read_rect(document.pyramid, area.zoom, area.rect, plane, cached, job.cancel) for plane in area.planes
            ]
            engine = self._engine(area.engine)
            started = perf_counter()
            encoded = engine.encode(images, area.mpp, area.planes_um)
            return encoded, 1000 * (perf_counter() - started)

        def done(result: tuple[Encoded, float]) -> None:
            encoded, self.encode_ms = result
            self._kept[area] = encoded
            while len(self._kept) > KEPT_VIEWS:
                self._kept.popitem(last=False)
            self._say()
            self.encoded.emit()
            self._after_encoding()

        def failed(text: str) -> None:
            self._area = None
            self._say()
            self.failed.emit(text)

        self._study = None  # the job this one replaces was not stopped by the user
        title = "Studying the view"
        self._study = self._jobs.start("encode", work, lane=Lane.INFERENCE, title=title, done=done, failed=failed)
        self._say()

    @Slot(object)
    def _job_ended(self, job: Job) -> None:
        if job.kind != "encode" or not job.cancel.is_set():
            return
        if job is self._study:
            self._area = None
        self._say()

    def _engine(self, name: str) -> Refocuser:
        if name not in self._engines:
            self._engines[name] = self.engine_maker(name)
        return self._engines[name]

    def _forget_view(self) -> None:
        self._jobs.cancel("encode")
        self._slider.clear()
        self._stop_rendering()
        self._area = None
        self._all_in_focus = self._auto_waits = False

    def _stop_rendering(self) -> None:
        self._next = None
        self._jobs.cancel("render")
        self._rendering = False

    # --- the knob ------------------------------------------------------------------------------------------

    @Slot(float)
    def _target_changed(self, z_um: float) -> None:
        self._all_in_focus = self._auto_waits = False
        if self.is_on:
            self._study_again()
        self._slider()

    @Slot(str)
    def _engine_changed(self, name: str) -> None:
        self._area = None
        self._rested()

    def _after_encoding(self) -> None:
        encoded = self._kept.get(self._area) if self._area is not None else None
        if encoded is None:
            return
        if self._auto_waits:
            self._auto_waits = False
            low, high = model.z_range(encoded.planes_um)
            self.panel.set_target(min(max(encoded.best_z_um, low), high))
        self._apply()

    def _apply(self) -> None:
        """Show the focus the knob stands at: an acquired plane as it is, anything else rendered."""
        document, area = self._document, self._area
        if document is None or not self.is_on:
            return
        z_um = None if self._all_in_focus else self.panel.target_um
        plane = None if z_um is None else model.acquired_plane(document.planes_um, z_um)
        if plane is not None:
            self._stop_rendering()
            self.plane_wanted.emit(plane)
            self._show_scan()
        elif area is not None and area in self._kept:
            self._next = (area, z_um)
            self._render_next()

    def _render_next(self) -> None:
        """Render the latest wish; one at a time, so that dragging shows every picture that is ready."""
        if self._rendering or self._next is None:
            return
        (area, z_um), self._next = self._next, None
        encoded = self._kept.get(area)
        if encoded is None:
            return
        self._rendering = True

        def work(job: Job) -> Rendered:
            engine = self._engine(area.engine)
            started = perf_counter()
            target: Any = engine.all_in_focus_target(encoded) if z_um is None else z_um
            pixels = engine.render(encoded, target)
            spent = 1000 * (perf_counter() - started)
            return Rendered(area, z_um, pixels, to_qimage(pixels), engine.version, spent)

        def failed(text: str) -> None:
            self._rendering = False
            self.failed.emit(text)

        self._jobs.start("render", work, lane=Lane.INFERENCE, done=self._show, failed=failed)

    def _show(self, picture: Rendered) -> None:
        self._rendering = False
        self.step_ms = picture.milliseconds
        patch = self._viewport.patch
        patch.image, patch.zoom = picture.image, picture.area.zoom
        patch.x, patch.y = picture.area.rect[:2]
        what = "all in focus" if picture.z_um is None else f"z = {picture.z_um:+.2f} µm"
        patch.badge = f"Synthesised  ·  {what}"
        self.shown = picture
        self._say()
        self._viewport.update()
        self.rendered.emit(picture)
        self._render_next()

    def _show_scan(self) -> None:
        self.shown = None
        self._viewport.patch.clear()
        self._viewport.update()
        self._say()

    def _say(self) -> None:
        if self._jobs.running("encode"):
            text = "Studying the view…"
        elif self.shown is not None:
            text = f"Computed by {self.shown.area.engine}, not scanned."
        elif self.is_on and self._area in self._kept:
            text = "These are scanned pixels. Turn the knob to refocus."
        else:
            text = ""
        encoded = self._kept.get(self._area) if self._area is not None else None
        if encoded is not None and self.is_on:
            text = " ".join([text, *encoded.notes]).strip()
        self.panel.set_state(text, synthesised=self.shown is not None)

    # --- saving --------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """What the synthesised picture is, for its file."""
        assert self.shown is not None
        assert self._document is not None
        area = self.shown.area
        x0, y0, x1, y1 = (value << area.zoom for value in area.rect)
        return {
            "Source": self._document.name,
            "Fingerprint": area.fingerprint,
            "Region": [x0, y0, x1 - x0, y1 - y0],
            "PixelSizeUm": area.mpp,
            "FocusUm": "all in focus" if self.shown.z_um is None else round(self.shown.z_um, 3),
            "PlanesUm": list(area.planes_um),
            "Engine": f"{area.engine} {self.shown.engine_version}",
            "Synthesised": "These pixels are computed, not scanned. For research use only.",
        }
