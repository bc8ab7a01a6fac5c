"""The whole-slide map engine: reads the tissue of a slide block by block and scores its windows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import SlideError
from focusviewer.focus.base import FocusMap, FocusModel, ScoreGrid
from focusviewer.focus.mapping.grid import Block, WindowGrid, bands, blocks
from focusviewer.focus.resample import read_scaled
from focusviewer.focus.tissue.fluorescence import FluorescenceError
from focusviewer.focus.tissue.mask import TissueMask, tissue_mask
from focusviewer.slides import Slide

OnProgress = Callable[[float, FocusMap], None]
Layer = tuple[str, str]  # field of FocusMap, and for fused models whose

MIN_TISSUE = 0.2
"""Part of a window that must be tissue for it to be scored."""

ARTEFACT_SHARE = 0.01
"""Part of a window covered by pen, dust, a rim or a fold from which it is not scored: models look for the extremes of a
window."""

LEAST_STAIN = 0.018
"""Mean optical density of a window below which there is too little to score: empty fat, a shred at its edge."""

_PROGRESS_S = 0.1
_SMALLEST_READ = 4  # windows along a block that is not cut further when it cannot be read


def map_slide(
    slide: Slide,
    model: FocusModel,
    *,
    region: tuple[int, int, int, int] | None = None,
    plane: int = 0,
    mpp: float | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    threads: int = 2,
    tissue: TissueMask | None = None,
) -> FocusMap:
    """Blur of every tissue window of a slide, or of a region of it.

    The windows of a region are those of the whole slide's grid, so their scores are the same.

    Parameters
    ----------
    region : (x, y, width, height), optional
        In level-0 pixels; the whole slide when missing.
    plane : int
        Focal plane to score.
    mpp : float, optional
        Pixel size of level 0 in um, where the file does not say it (overrides the slide's).
    on_progress : callable, optional
        Called with the fraction done and the map so far, from worker threads, at most ten times a second and
        never by two threads at once.
    cancel : threading.Event, optional
        Set it to stop; the map ends within one block.
    threads : int
        Worker threads; each reads and scores its own blocks.
    tissue : TissueMask, optional
        Made from the slide when missing.

    Raises
    ------
    ScaleUnknownError
        If the model needs microns and neither ``mpp`` nor the slide has them.
    FluorescenceError
        If the slide looks like fluorescence, and the model gives distances from focus.
    CancelledError
        If ``cancel`` was set.
    SlideError
        If no part of the region could be read (single unreadable blocks are left NaN and counted).
    """
    started = time.perf_counter()
    slide_mpp = mpp if mpp is not None else slide.mpp
    if model.mpps and slide_mpp is None:
        raise slide.scale_error()
    stop_if(cancel)
    grid = WindowGrid.over(slide.dimensions, model, model.scale_for(slide_mpp))
    part = grid.within(region)
    if tissue is None:
        tissue = tissue_mask(slide, plane=plane, mpp=slide_mpp)
    if tissue.fluorescence and model.absolute:
        raise FluorescenceError(slide.name)
    stop_if(cancel)
    job = _Job(slide, model, grid, part, plane, slide_mpp, on_progress, cancel)
    job.started, job.threads = started, max(1, threads)
    cannot_tell = windows_that_cannot_tell(grid, tissue)
    job.map = replace(job.map, cannot_tell=cannot_tell[part.slices], fluorescence=tissue.fluorescence)
    job.run((windows_with_tissue(grid, tissue) & ~cannot_tell)[part.slices])
    return job.result()


def windows_with_tissue(grid: WindowGrid, tissue: TissueMask) -> npt.NDArray[np.bool_]:
    """Windows at least MIN_TISSUE of which is tissue: bool (rows, cols)."""
    return tissue.fraction(*_boxes(grid)) >= MIN_TISSUE


def windows_that_cannot_tell(grid: WindowGrid, tissue: TissueMask) -> npt.NDArray[np.bool_]:
    """Windows with something on them that no model can score: bool (rows, cols).

    Tissue with a pen mark, dust, a rim or a fold on it; such marks alone; tissue with next to no stain in it.
    """
    boxes = _boxes(grid)
    share = tissue.fraction(*boxes)
    result = np.zeros(share.shape, bool)
    if tissue.artefact_areas is not None:
        artefacts = tissue.artefact_areas.mean(*boxes)
        result |= (artefacts >= ARTEFACT_SHARE) & (share + artefacts >= MIN_TISSUE)
    if tissue.stain_areas is not None:
        result |= (tissue.stain_areas.mean(*boxes) < LEAST_STAIN) & (share >= MIN_TISSUE)
    return result


def _boxes(grid: WindowGrid) -> tuple[FloatMap, FloatMap, FloatMap, FloatMap]:
    """Left, top, right and bottom of all windows in level-0 pixels, ready to broadcast."""
    half = np.float32(grid.window_px * grid.scale / 2)
    x, y = grid.x[None, :], grid.y[:, None]
    return x - half, y - half, x + half, y + half


class _Job:
    """One run of map_slide: the queue of blocks, and the map as it fills."""

    started = 0.0
    threads = 1

    def __init__(
        self,
        slide: Slide,
        model: FocusModel,
        grid: WindowGrid,
        part: Block,
        plane: int,
        mpp: float | None,
        on_progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> None:
        self.slide, self.model, self.grid, self.part, self.plane = slide, model, grid, part, plane
        self.on_progress, self.cancel = on_progress, cancel
        self.lock, self.reporting = threading.Lock(), threading.Lock()
        self.queue: deque[Block] = deque()
        self.wanted: npt.NDArray[np.bool_] = np.zeros((part.rows, part.cols), bool)
        self.total, self.done, self.failed = 0, 0, 0
        self.read_seconds, self.reported = 0.0, -1.0
        self.error: SlideError | None = None
        self.stop = threading.Event()
        rows, cols = part.slices
        self.map = FocusMap(
            blur=np.full((part.rows, part.cols), np.nan, np.float32),
            x=grid.x[cols],
            y=grid.y[rows],
            model=model.name,
            model_version=model.version,
            absolute=model.absolute,
            window_px=grid.window_px * grid.scale,
            stride_px=grid.stride_px * grid.scale,
            mpp=mpp,
            plane=plane,
            sides_um=slide.sides_um if mpp is None else None,
        )
        self.layers: dict[Layer, FloatMap] = {("blur", ""): self.map.blur}

    def run(self, wanted: npt.NDArray[np.bool_]) -> None:
        """Score the wanted windows of the part, and wait for it."""
        self.wanted = wanted
        cut = bands if self.strips else blocks
        self.queue.extend(cut(wanted, self.threads, self.model.block_windows))
        self.total = int(wanted.sum())
        with ThreadPoolExecutor(self.threads, "focus-map") as pool:
            jobs = [pool.submit(self.work, index) for index in range(self.threads)]
            if wait(jobs, return_when=FIRST_EXCEPTION).not_done:
                self.stop.set()
        for job in jobs:
            job.result()
        if self.error is not None and not np.isfinite(self.map.blur).any():
            raise self.error

    @property
    def strips(self) -> bool:
        """Whether blocks are read strip by strip; resampled strips would not fit together exactly."""
        return self.model.strips and self.grid.scale == 1.0

    def work(self, index: int) -> None:
        """One worker: blocks until there are none; every other worker begins at the queue's far end."""
        self.model.start_thread()
        while not self.stop.is_set():
            stop_if(self.cancel)
            with self.lock:
                if not self.queue:
                    return
                block = self.queue.pop() if index % 2 else self.queue.popleft()
            self.do(block)
            self.report()

    def do(self, block: Block) -> None:
        """Read and score one block; one that cannot be read is cut up, to lose no more than must be."""
        whole = Block(self.part.row + block.row, self.part.col + block.col, block.rows, block.cols)
        box = self.grid.pixels(whole, self.model.halo_px)
        piece = _Piece(self, box)
        wanted = self.wanted[block.slices]
        working_mpp = None if self.map.mpp is None else self.map.mpp * self.grid.scale
        try:
            found = self.model.score_piece(piece.read, (box[3] - box[1], box[2] - box[0]), working_mpp, wanted)
        except _UnreadableError as unreadable:
            self.fail(block, unreadable.reason)
            return
        scores = found.scores
        if self.model.absolute:  # a distance: what looks sharper than the training's sharpest is in focus
            scores = np.maximum(scores, 0.0)
        with self.lock:
            self.read_seconds += piece.seconds
            for name, values in _layers(replace(found, scores=scores)):
                self.layer(name)[block.slices][wanted] = values[wanted]
            self.done += int(wanted.sum())

    def layer(self, name: Layer) -> FloatMap:
        """The whole map that a layer of scores goes into; made when first asked for."""
        if name not in self.layers:
            self.layers[name] = np.full(self.wanted.shape, np.nan, np.float32)
        return self.layers[name]

    def fail(self, block: Block, error: SlideError) -> None:
        """Put the halves of an unreadable block back, or give up on it."""
        with self.lock:
            self.error = self.error or error
            if max(block.rows, block.cols) > _SMALLEST_READ:
                self.queue.extendleft(half for half in block.halves() if self.wanted[half.slices].any())
            else:
                count = int(self.wanted[block.slices].sum())
                self.failed += count
                self.done += count

    def report(self) -> None:
        """Report the progress, unless another thread is doing so or a report was made a moment ago."""
        if self.on_progress is None or not self.reporting.acquire(blocking=False):
            return
        try:
            now = time.perf_counter()
            if now - self.reported < _PROGRESS_S:
                return
            self.reported = now
            with self.lock:
                fraction, partial = self.done / max(1, self.total), self.result()
            self.on_progress(fraction, partial)
        finally:
            self.reporting.release()

    def result(self) -> FocusMap:
        """The map so far, as a copy of its own."""
        copies = {name: values.copy() for name, values in self.layers.items()}
        return replace(
            self.map,
            blur=copies["blur", ""],
            uncertainty=copies.get(("uncertainty", "")),
            members={member: values for (kind, member), values in copies.items() if kind == "members"},
            weights={member: values for (kind, member), values in copies.items() if kind == "weights"},
            seconds=time.perf_counter() - self.started,
            decode_seconds=self.read_seconds / self.threads,
            unreadable=self.failed,
        )


class _UnreadableError(Exception):
    """A part of the slide cannot be decoded: told apart from whatever else may go wrong in a model."""

    def __init__(self, reason: SlideError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Piece:
    """The pixels of a block, read as a model asks for them; counts the time."""

    def __init__(self, job: _Job, box: tuple[int, int, int, int]) -> None:
        self.job, self.box, self.seconds = job, box, 0.0
        self._whole: RGB | None = None

    def read(self, top: int, bottom: int, left: int, right: int) -> RGB:
        """A part of the block."""
        stop_if(self.job.cancel)
        began = time.perf_counter()
        x, y, _, _ = self.box
        try:
            if self.job.strips:
                return self._pixels((x + left, y + top, x + right, y + bottom))
            if self._whole is None:
                self._whole = self._pixels(self.box)
            return self._whole[top:bottom, left:right]
        except SlideError as error:
            raise _UnreadableError(error) from error
        finally:
            self.seconds += time.perf_counter() - began

    def _pixels(self, box: tuple[int, int, int, int]) -> RGB:
        return read_scaled(self.job.slide, self.job.plane, self.job.grid.scale, box)


def _layers(grid: ScoreGrid) -> Iterator[tuple[Layer, FloatMap]]:
    """Everything a model says of a block, by the layer of the map it goes into."""
    yield ("blur", ""), grid.scores
    if grid.uncertainty is not None:
        yield ("uncertainty", ""), grid.uncertainty
    yield from ((("members", member), values) for member, values in grid.members.items())
    yield from ((("weights", member), values) for member, values in grid.weights.items())
