"""Saving what takes minutes: sweeps as animations, regions as pyramidal TIFF, each with its provenance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from focusviewer.app.refocus.area import RefocusArea, RefocusRequest, chosen_planes
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.refocus.inference.engines import EngineHost, Study
from focusviewer.app.saving.writer import FileWriter
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import read_rect
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.core.arrays import RGB
from focusviewer.core.cancel import stop_if
from focusviewer.refocus.base import acquired_plane

SWEEP_FPS = 12.0
SWEEP_STEP_UM = 0.2
SWEEP_STEPS = 40
"""Most steps of a sweep one way; a longer one takes larger ones."""

RENDERING = 0.8
"""Part of the work on a sweep that is done when its pictures are rendered."""

MAP_PX = 4096
"""Longest side of a painted map over a region, px; for larger regions the map is scaled up."""

NOTHING = "There is nothing refocused to save. Switch Refocus on and zoom in first."


class ExportController(FileWriter):
    """Uses lanes and engines of its own, so that the knob does not wait for a file, nor a sweep for a region."""

    def __init__(self, jobs: Jobs, tiles: TileSource, refocus: RefocusController, slides: SlideController) -> None:
        super().__init__(jobs, slides)
        self._tiles, self._refocus = tiles, refocus
        self._regions, self._sweeps = (EngineHost(lambda name: refocus.host.maker(name)) for _ in range(2))

    @property
    def running(self) -> list[Job]:
        """Files that are being written, or wait for it."""
        return [job for job in self._jobs.running() if job.needs is not None]

    @property
    def area(self) -> RefocusArea | None:
        """What is refocused at the moment."""
        return self._refocus.studies.area if self._refocus.state.can_refocus else None

    def sweep(self, path: Path, low_um: float, high_um: float) -> None:
        """Save a sweep of the focus of what is on screen."""
        document, area = self._refocus.document, self.area
        if document is None or area is None:
            self.failed.emit(NOTHING)
            return
        state = self._refocus.state
        manual = state.sources
        mode = state.mode if state.mode in ("assume", "refocus") else state.resting_mode

        def work(job: Job) -> None:
            from focusviewer.refocus.regions.sweep import sweep_targets, write_sweep

            step_um = max(SWEEP_STEP_UM, (high_um - low_um) / SWEEP_STEPS)
            targets = sweep_targets(low_um, high_um, step_um)
            pictures = dict(
                zip(sorted(set(targets)), self._frames(document, area, mode, targets, manual, job), strict=True)
            )
            metadata = {**self._sweep_provenance(document, area, targets), "mode": mode}
            write_sweep(path, _with_progress([pictures[z_um] for z_um in targets], job), SWEEP_FPS, metadata)

        self._write(path, work, lane=Lane.SWEEP, needs=document.slide)

    def _frames(
        self,
        document: Document,
        area: RefocusArea,
        mode: str,
        targets: list[float],
        manual: tuple[int, ...],
        job: Job,
    ) -> Iterator[RGB]:
        """The picture at each different target, from low to high."""
        study: Study | None = None
        planes: tuple[int, ...] = ()
        wanted = sorted(set(targets))
        silent = Job(job.kind, job.generation, cancel=job.cancel)  # the progress of a single picture is not shown
        for index, z_um in enumerate(wanted):
            stop_if(job.cancel)
            plane = acquired_plane(document.planes_um, z_um)
            job.report(RENDERING * index / len(wanted))
            if plane is not None:
                yield read_rect(document.pyramid, area.zoom, area.rect, plane, self._tiles.cached_pixels, job.cancel)
                continue
            needed = chosen_planes(document.planes_um, (z_um, z_um), manual, [planes] if planes else [])
            if study is None or needed != planes:
                planes = needed
                planes_um = tuple(document.planes_um[plane] for plane in planes)
                study = self._sweeps.study(document, replace(area, planes=planes, planes_um=planes_um), None, silent)
            yield self._sweeps.render(study, RefocusRequest(mode, z_um), silent).pixels

    def _sweep_provenance(self, document: Document, area: RefocusArea, targets: list[float]) -> dict[str, Any]:
        from focusviewer.focus.calibration.profiles import find_profile

        found = self._sweeps.area_provenance(document, area, "sweep of the focus", find_profile(document.slide))
        planes = range(len(document.planes_um))
        return {**found, "planes": list(planes), "planes_um": list(document.planes_um), "targets_um": targets}

    def region(self, path: Path, *, whole: bool) -> None:
        """Save what is on screen, or the whole slide, at full resolution in the focus that is shown."""
        document, area = self._refocus.document, self.area
        if document is None or area is None or document.mpp is None:
            self.failed.emit(NOTHING)
            return
        request = self._refocus.display.request()
        if request is None:
            self.failed.emit("The focus is still being looked for. Save again when the picture is there.")
            return
        mpp = document.mpp
        if whole:
            box = (0, 0, *document.slide.dimensions)
        else:
            x0, y0, x1, y1 = (round(value) for value in document.view.visible_rect())
            box = (x0, y0, x1 - x0, y1 - y0)

        def work(job: Job) -> None:
            from focusviewer.focus.calibration.profiles import find_profile
            from focusviewer.refocus.regions.export import export_region
            from focusviewer.refocus.regions.tiling import View

            view = View(document.slide, box, area.planes, area.planes_um, mpp, find_profile(document.slide))
            shrink = max(1, max(box[2:]) // MAP_PX)
            target = request.for_region(box, (-(-box[3] // shrink), -(-box[2] // shrink)))
            with self._regions.working(area.engine, job, report=False) as engine:
                export_region(view, engine, target, path, job.report, job.cancel)

        self._write(path, work, lane=Lane.EXPORT, needs=document.slide)


def _with_progress(frames: Sequence[RGB], job: Job) -> Iterator[RGB]:
    for index, frame in enumerate(frames):
        stop_if(job.cancel)
        job.report(RENDERING + (1 - RENDERING) * index / len(frames))
        yield frame
