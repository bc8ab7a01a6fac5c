"""Making, colouring and reading focus maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from focusviewer.app.heatmap import reading as model
from focusviewer.app.heatmap.panel import HeatmapPanel
from focusviewer.app.heatmap.reading import HeatmapStyle, Histogram, MapReading
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import rgba_to_qimage
from focusviewer.app.services.torch_import import import_torch
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.core.registry import AnyEntry
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.colour import LUTS, Mode, colorize, colour_values, value_range
from focusviewer.focus.mapping.regions import BlurRegion, find_regions

MAP_THREADS = 2
PARTIAL_S = 0.25  # the overlay fills in at this pace: every new one is painted over the whole viewport
WORST = 12
WORST_WAIT_MS = 200

MapMaker = Callable[..., FocusMap]


@dataclass(frozen=True)
class MapPicture:
    """A focus map ready to be shown."""

    focus_map: FocusMap
    image: QImage
    rect: tuple[float, float, float, float]
    reading: MapReading
    histogram: Histogram
    spoilt: npt.NDArray[np.float64]


def picture_of(focus_map: FocusMap, style: HeatmapStyle) -> MapPicture:
    """Colour and measure a map (any thread)."""
    mode: Mode = "absolute" if style.mode == "absolute" and focus_map.absolute else "normalised"
    lut = style.lut if style.lut in LUTS else LUTS[0]
    low, high = value_range(focus_map, mode)
    rgba = colorize(focus_map, mode, lut, low, high)
    shown = model.emphasise(rgba, focus_map, style.threshold) if style.emphasise else rgba
    if style.certainty:
        shown = model.fade_unsure(shown, focus_map, high - low)
    shown = model.gray_out(shown, focus_map)
    edges = np.linspace(low, high, model.HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(focus_map.blur[focus_map.tissue], low, high), edges)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    return MapPicture(
        focus_map,
        rgba_to_qimage(shown),
        model.extent(focus_map),
        model.read_map(focus_map, style.threshold),
        Histogram(counts, edges, colour_values(centres, low, high, lut)),
        model.spoilt_runs(focus_map),
    )


def make_map(
    document: Document, name: str, plane: int, progress: Callable[[float, FocusMap], None], job: Job
) -> FocusMap:
    """Map a slide, or take the map from the disk cache; in microns where a calibration holds for it (any thread)."""
    from focusviewer import focus

    if any(entry.name == name and entry.trained for entry in focus.models()):
        import_torch()
    return focus.map_focus(
        document.slide,
        name,
        plane=plane,
        cache=focus.MapCache(),
        threads=MAP_THREADS,
        on_progress=progress,
        cancel=job.cancel,
    )


class HeatmapController(QObject):
    """Ties the Heatmap panel, the analysis lane and the viewport's overlay together."""

    finished = Signal(object)  # FocusMap
    failed = Signal(str)
    running_changed = Signal(bool)

    def __init__(self, jobs: Jobs, viewport: Viewport, panel: HeatmapPanel, maker: MapMaker = make_map) -> None:
        super().__init__()
        self._jobs, self._viewport, self.panel, self.maker = jobs, viewport, panel, maker
        self._document: Document | None = None
        self._style = panel.style_now
        self._job: Job | None = None
        self.shown: FocusMap | None = None
        self._unfinished: FocusMap | None = None  # the last one that was shown while it was being made
        self._level_threshold = self._style.threshold
        self._relative_thresholds: dict[str, float] = {}
        self._veil = ""  # why no map may be seen
        self._worst_timer = QTimer(self, singleShot=True, interval=WORST_WAIT_MS)
        self._worst_timer.timeout.connect(self._find_worst)
        panel.run_requested.connect(self.run)
        panel.stop_requested.connect(self.stop)
        panel.style_changed.connect(self._restyle)
        jobs.ended.connect(self._job_ended)

    def show_document(self, document: Document | None) -> None:
        """Turn to another slide; a map of it that was made before is shown again."""
        self.stop()
        self._document = document
        self._show_kept()

    def load_models(self) -> None:
        """Fill the panel's lists (the registry is imported in a worker)."""

        def work(job: Job) -> tuple[list[AnyEntry], tuple[str, ...], str]:
            from focusviewer import focus

            return focus.models(), tuple(focus.LUTS), focus.DEFAULT_MODEL

        self._jobs.start(
            "models",
            work,
            lane=Lane.ANALYSIS,
            done=lambda found: self.panel.set_models(*found),
            failed=self.failed.emit,
        )

    @property
    def level_threshold(self) -> float:
        """Threshold of absolute models, in levels."""
        return self._level_threshold

    @property
    def is_running(self) -> bool:
        """Whether a map is being made."""
        return self._job is not None

    @Slot()
    def run(self) -> None:
        """Map the current plane of the current slide."""
        document, name = self._document, self._style.model
        if document is None:
            return
        if self._veil:
            self.failed.emit(self._veil)
            return
        if not name:
            self.failed.emit("The list of models is still being loaded. Try again in a moment.")
            return
        plane = document.view.plane

        def is_wanted() -> bool:
            return (document, name, plane) == (self._document, self._style.model, document.view.plane)

        def work(job: Job) -> tuple[FocusMap, MapPicture]:
            shown_at = 0.0

            def progress(fraction: float, partial: FocusMap) -> None:
                nonlocal shown_at
                now = monotonic()
                if not job.cancel.is_set() and now - shown_at >= PARTIAL_S:
                    shown_at = now
                    job.report(fraction, picture_of(partial, self._style))

            made = self.maker(document, name, plane, progress, job)
            return made, picture_of(made, self._style)

        def done(result: tuple[FocusMap, MapPicture]) -> None:
            made, picture = result
            document.maps[name, plane] = made
            if is_wanted():
                self._unfinished = None
                self._jobs.cancel("colour")
                self._show(picture)
                self._fit_threshold(made)
            self.finished.emit(made)

        def partial(fraction: float, picture: MapPicture) -> None:
            self.panel.set_progress(fraction)
            if is_wanted():  # not when the user has turned to another plane or model meanwhile
                self._unfinished = picture.focus_map
                self._show(picture)

        self._clear()
        self._job = self._jobs.start(
            "heatmap",
            work,
            lane=Lane.ANALYSIS,
            title=f"Focus map, {name}",
            partial=partial,
            done=done,
            failed=self.failed.emit,
        )
        self.panel.set_busy(True)
        self.running_changed.emit(True)

    @Slot()
    def stop(self) -> None:
        """Stop mapping; what is done so far stays on screen."""
        self._jobs.cancel("heatmap")

    @Slot(object)
    def _job_ended(self, job: Job) -> None:
        if job is self._job:
            self._job = None
            self.panel.set_busy(False)
            self.running_changed.emit(False)
            if self.shown is not None and self.shown is self._unfinished:
                self._colour(self.shown)  # which also tells that it is not the whole

    def _show(self, picture: MapPicture) -> None:
        self.shown = picture.focus_map
        layer = self._viewport.heatmap
        layer.image, layer.rect, layer.hatched = picture.image, picture.rect, picture.spoilt
        layer.opacity, layer.visible = self._style.opacity, self._style.visible
        absolute = picture.focus_map.absolute
        stopped = picture.focus_map is self._unfinished and not self.is_running
        seconds = 0.0 if self.is_running or stopped else picture.focus_map.seconds
        self.panel.show_reading(picture.reading, absolute, picture.histogram, seconds, stopped=stopped)
        self._viewport.update()
        if not self.is_running:
            self._worst_timer.start()

    def _fit_threshold(self, focus_map: FocusMap) -> None:
        """Turn to the threshold of the model's own scale: levels, or for a relative model its last decile at first."""
        if focus_map.absolute:
            self.panel.set_threshold(self._level_threshold, 2)
            return
        values = focus_map.blur[focus_map.tissue]
        if focus_map.model not in self._relative_thresholds and values.size:
            self._relative_thresholds[focus_map.model] = float(np.percentile(values, 90))
        self.panel.set_threshold(self._relative_thresholds.get(focus_map.model, 0.0), 4)

    def _clear(self) -> None:
        self.shown = self._unfinished = None
        self._worst_timer.stop()
        self._jobs.cancel("worst")
        self._jobs.cancel("colour")
        self._viewport.heatmap.image = self._viewport.mark.rect = None
        self._viewport.heatmap.hatched = np.empty((0, 4))
        self.panel.show_reading(None, True)
        self.panel.show_worst([], True, None)
        self._viewport.update()

    def _show_kept(self) -> None:
        document = self._document
        kept = document.maps.get((self._style.model, document.view.plane)) if document else None
        if kept is None or self._veil:
            self._clear()
        else:
            self.shown = kept
            self._fit_threshold(kept)
            self._colour(kept)

    def _colour(self, focus_map: FocusMap) -> None:
        style = self._style
        self._jobs.start(
            "colour",
            lambda job: picture_of(focus_map, style),
            lane=Lane.ANALYSIS,
            done=self._show,
            failed=self.failed.emit,
        )

    @Slot()
    def _find_worst(self) -> None:
        """List the worst regions; waits for the threshold to rest, as it can take a while on a large map."""
        focus_map, threshold = self.shown, self._style.threshold
        if focus_map is None or self.is_running:
            return
        mpp = self._document.mpp if self._document else None

        def work(job: Job) -> list[BlurRegion]:
            return find_regions(focus_map, threshold)[:WORST]

        def done(regions: list[BlurRegion]) -> None:
            self.panel.show_worst(regions, focus_map.absolute, mpp)

        self._jobs.start("worst", work, lane=Lane.ANALYSIS, done=done, failed=self.failed.emit)

    @Slot(object)
    def _restyle(self, style: HeatmapStyle) -> None:
        old, self._style = self._style, style
        if self.shown is not None and style.model == old.model and style.threshold != old.threshold:
            if self.shown.absolute:
                self._level_threshold = style.threshold
            else:
                self._relative_thresholds[self.shown.model] = style.threshold
        layer = self._viewport.heatmap
        layer.opacity, layer.visible = style.opacity, style.visible
        self._viewport.update()
        if replace(style, opacity=old.opacity, visible=old.visible) == old:
            return
        if style.model != old.model:
            self._show_kept()
        elif self.shown is not None and not self.is_running:
            self._colour(self.shown)

    def show_stored(self, document: Document, focus_map: FocusMap, threshold: float | None = None) -> None:
        """Take a map of a slide that was made earlier, and show it if the slide is on screen.

        The panel turns to the model that made it, and to the threshold (its scores) that it was judged with.
        """
        document.maps[focus_map.model, focus_map.plane] = focus_map
        if document is not self._document or self.is_running:
            return
        if threshold is not None and focus_map.absolute:
            self._level_threshold = threshold
        self.panel.choose_model(focus_map.model)
        self._show_kept()

    def set_veil(self, reason: str) -> None:
        """Show no map and make none while there is a reason not to; the empty one lifts the veil."""
        if reason != self._veil:
            self._veil = reason
            self.stop()
            self._show_kept()

    def plane_changed(self) -> None:
        """Show the map of the plane that is on screen now, if it has one."""
        self._show_kept()

    def blur_at(self, x: float, y: float) -> str:
        """Blur under a level-0 pixel, in words; empty without a map."""
        return "" if self.shown is None else model.point_text(self.shown, x, y)

    def members_at(self, x: float, y: float) -> str:
        """What the members of a fused model say of a level-0 pixel; empty for other maps, and while hidden."""
        return model.members_text(self.shown, x, y) if self.shown is not None and self._style.visible else ""
