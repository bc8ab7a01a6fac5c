"""Making, colouring and reading focus maps."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.heatmap import presentation
from focusviewer.app.heatmap.picture import MapPicture, picture_of
from focusviewer.app.heatmap.presentation import MapFigures
from focusviewer.app.heatmap.state import HeatmapState
from focusviewer.app.services.binding import follow
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.torch_import import import_torch
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets.plotting import load_plots
from focusviewer.core.registry import AnyEntry
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.regions import BlurRegion, find_regions

MAP_THREADS = 2
PARTIAL_S = 0.25  # time between two updates of the overlay: each repaints the whole viewport
MAX_REGIONS = 12
WORST_WAIT_MS = 200

MapMaker = Callable[..., FocusMap]


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
    """Makes the map that the state asks for, and shows it over the slide in the chosen way.

    Signals
    -------
    finished : a whole map was made (FocusMap)
    failed : something went wrong (text)
    """

    finished = Signal(object)
    failed = Signal(str)

    def __init__(self, jobs: Jobs, viewport: Viewport, state: HeatmapState, maker: MapMaker = make_map) -> None:
        super().__init__()
        self._jobs, self._viewport, self.state, self.maker = jobs, viewport, state, maker
        self._document: Document | None = None
        self._job: Job | None = None
        self._unfinished: FocusMap | None = None  # the last partial map that was shown
        self._worst_timer = QTimer(self, singleShot=True, interval=WORST_WAIT_MS)
        self._worst_timer.timeout.connect(self._find_worst)
        follow(state, "opacity", self._set_opacity)
        follow(state, "visible", self._set_visible)
        events = state.events
        events.model.connect(self._show_current_map)
        for choice in (events.lut, events.mode, events.threshold, events.emphasise, events.certainty):
            choice.connect(self._restyle)
        jobs.ended.connect(self._job_ended)

    @property
    def shown(self) -> FocusMap | None:
        """The map on screen."""
        return self.state.shown

    @property
    def is_running(self) -> bool:
        """Whether a map is being made."""
        return self.state.running

    def load_models(self) -> None:
        """Fill the lists of models and look-up tables (the registry is imported in a worker)."""

        def work(job: Job) -> tuple[list[AnyEntry], tuple[str, ...], str]:
            from focusviewer import focus

            return focus.models(), tuple(focus.LUTS), focus.DEFAULT_MODEL

        self._jobs.start(
            "models",
            work,
            lane=Lane.ANALYSIS,
            done=lambda found: self.state.offer(*found),
            failed=self.failed.emit,
        )

    # --- making a map --------------------------------------------------------------------------------------

    @Slot()
    def run(self) -> None:
        """Map the current plane of the current slide."""
        document, state = self._document, self.state
        name = state.model
        if document is None:
            return
        if state.withheld_reason:
            self.failed.emit(state.withheld_reason)
            return
        if not name:
            self.failed.emit("The list of models is still being loaded. Try again in a moment.")
            return
        plane = document.view.plane

        def is_wanted() -> bool:
            return (document, name, plane) == (self._document, state.model, document.view.plane)

        def work(job: Job) -> tuple[FocusMap, MapPicture]:
            shown_at = 0.0

            def progress(fraction: float, partial: FocusMap) -> None:
                nonlocal shown_at
                now = monotonic()
                if not job.cancel.is_set() and now - shown_at >= PARTIAL_S:
                    shown_at = now
                    job.report(fraction, picture_of(partial, state.style))

            made = self.maker(document, name, plane, progress, job)
            return made, picture_of(made, state.style)

        def done(result: tuple[FocusMap, MapPicture]) -> None:
            made, picture = result
            document.maps[name, plane] = made
            if is_wanted():
                self._unfinished = None
                self._jobs.cancel("colour")
                self._show(picture)
                state.fit_threshold(made)
            self._show_curve()
            self.finished.emit(made)

        def partial(fraction: float, picture: MapPicture) -> None:
            state.progress = fraction
            if is_wanted():  # not when the user has chosen another plane or model meanwhile
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
        state.progress, state.running = 0.0, True
        load_plots(self.state)  # so that the plots are ready with the first part of the map

    @Slot()
    def stop(self) -> None:
        """Stop mapping; what is done so far stays on screen."""
        self._jobs.cancel("heatmap")

    @Slot(object)
    def _job_ended(self, job: Job) -> None:
        if job is self._job:
            self._job = None
            self.state.running = False
            if self.shown is not None and self.shown is self._unfinished:
                self._colour(self.shown)  # which also says that the map is incomplete

    # --- showing it ----------------------------------------------------------------------------------------

    def show_document(self, document: Document | None) -> None:
        """Show another slide, and its map if one was made before."""
        self.stop()
        self._document = document
        self.state.mpp = None if document is None else document.slide.info.mpp_x
        self._show_current_map()

    def plane_changed(self) -> None:
        """Show the map of the plane that is on screen now, if it has one."""
        self._show_current_map()

    def show_stored(self, document: Document, focus_map: FocusMap, threshold: float | None = None) -> None:
        """Take a map of a slide that was made earlier, and show it if the slide is on screen.

        The panel then shows the model that made it, and the threshold (in its scores) that the verdict was given with.
        """
        document.maps[focus_map.model, focus_map.plane] = focus_map
        if document is not self._document or self.is_running:
            return
        if threshold is not None and focus_map.absolute:
            self.state.level_threshold = threshold
        self.state.model = focus_map.model
        self._show_current_map()

    def withhold(self, reason: str) -> None:
        """Show no map and make none for a reason (a sentence); with an empty one maps are shown again."""
        if reason != self.state.withheld_reason:
            self.state.withheld_reason = reason
            self.stop()
            self._show_current_map()

    def _show_current_map(self) -> None:
        document, state = self._document, self.state
        focus_map = document.maps.get((state.model, document.view.plane)) if document else None
        if focus_map is None or state.withheld_reason:
            self._clear()
        else:
            state.shown = focus_map
            state.fit_threshold(focus_map)
            self._colour(focus_map)
        self._show_curve()

    def _show(self, picture: MapPicture) -> None:
        focus_map, running = picture.focus_map, self.is_running
        stopped = focus_map is self._unfinished and not running
        seconds = 0.0 if running or stopped else focus_map.seconds
        self.state.shown = focus_map
        self.state.figures = MapFigures(picture.statistics, picture.histogram, focus_map.absolute, seconds, stopped)
        load_plots(self.state)
        layer = self._viewport.heatmap
        layer.image, layer.rect, layer.hatched = picture.image, picture.rect, picture.hatched
        self._viewport.update()
        if not running:
            self._worst_timer.start()

    def _show_curve(self) -> None:
        """Compare the planes of the slide that are mapped."""
        document = self._document
        if document is None:
            self.state.show_curve({})
            return
        known = document.slide.info.z_step_known
        self.state.show_curve(document.maps, document.planes_um, document.view.plane, known)

    def _clear(self) -> None:
        self._unfinished = None
        self._worst_timer.stop()
        self._jobs.cancel("worst")
        self._jobs.cancel("colour")
        self.state.clear()
        self._viewport.heatmap.image = self._viewport.mark.rect = None
        self._viewport.heatmap.hatched = np.empty((0, 4))
        self._viewport.update()

    def _set_opacity(self, opacity: float) -> None:
        self._viewport.heatmap.opacity = opacity
        self._viewport.update()

    def _set_visible(self, on: bool) -> None:
        self._viewport.heatmap.visible = on
        self._viewport.update()

    def _restyle(self) -> None:
        if self.shown is not None and not self.is_running:
            self._colour(self.shown)

    def _colour(self, focus_map: FocusMap) -> None:
        style = self.state.style
        self._jobs.start(
            "colour",
            lambda job: picture_of(focus_map, style),
            lane=Lane.ANALYSIS,
            done=self._show,
            failed=self.failed.emit,
        )

    @Slot()
    def _find_worst(self) -> None:
        """List the worst regions; started when the threshold no longer changes, as large maps take a while."""
        focus_map, threshold = self.shown, self.state.threshold
        if focus_map is None or self.is_running:
            return

        def work(job: Job) -> list[BlurRegion]:
            return find_regions(focus_map, threshold)[:MAX_REGIONS]

        self._jobs.start("worst", work, lane=Lane.ANALYSIS, done=self.state.list_worst, failed=self.failed.emit)

    # --- under the cursor ----------------------------------------------------------------------------------

    def blur_at(self, x: float, y: float) -> str:
        """Blur under a level-0 pixel, in words; empty without a map."""
        return "" if self.shown is None else presentation.point_text(self.shown, x, y)

    def members_at(self, x: float, y: float) -> str:
        """What the members of a fused model say of a level-0 pixel; empty for other maps, and while hidden."""
        return presentation.members_text(self.shown, x, y) if self.shown is not None and self.state.visible else ""
