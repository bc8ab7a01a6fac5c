"""The windows of a focus map: where they lie on a slide, and how a map is cut into blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap
from focusviewer.focus.base import FocusModel

_LEAST_WINDOWS = 8
_BAND_WINDOWS = 24  # rows of windows in a band: progress shows, and threads end together
_BLOCKS_PER_THREAD = 4  # so that small slides keep every thread busy, and show progress
_READ_MARGIN = 2.5  # strides each way that are read beyond a block's: windows overlap, file tiles are cut


@dataclass(frozen=True)
class WindowGrid:
    """The regular grid of windows over a slide.

    Windows cover the slide to its last pixel; what they overhang is shared equally by both sides, so every
    window's centre lies on the slide. Distances are in pixels of the model's scale, ``scale`` level-0 pixels each.
    """

    scale: float
    window_px: int
    stride_px: int
    cols: int
    rows: int
    origin_x: int
    origin_y: int

    @classmethod
    def over(cls, dimensions: tuple[int, int], model: FocusModel, scale: float) -> WindowGrid:
        """Grid over a slide of ``dimensions`` level-0 pixels."""
        (cols, origin_x), (rows, origin_y) = (
            _along(side / scale, model.window_px, model.stride_px) for side in dimensions
        )
        return cls(scale, model.window_px, model.stride_px, cols, rows, origin_x, origin_y)

    @property
    def x(self) -> FloatMap:
        """Level-0 x of the window centres: float32 (cols,)."""
        return self._centres(self.origin_x, self.cols)

    @property
    def y(self) -> FloatMap:
        """Level-0 y of the window centres: float32 (rows,)."""
        return self._centres(self.origin_y, self.rows)

    def _centres(self, origin: int, count: int) -> FloatMap:
        centres = (origin + self.window_px / 2 + self.stride_px * np.arange(count)) * self.scale
        return centres.astype(np.float32)

    def pixels(self, block: Block, halo: int = 0) -> tuple[int, int, int, int]:
        """Box (x0, y0, x1, y1) of the pixels a block's windows need, at the model's scale."""
        x0, y0 = self.origin_x + block.col * self.stride_px, self.origin_y + block.row * self.stride_px
        width = self.window_px + (block.cols - 1) * self.stride_px
        height = self.window_px + (block.rows - 1) * self.stride_px
        return x0 - halo, y0 - halo, x0 + width + halo, y0 + height + halo

    def within(self, region: tuple[int, int, int, int] | None) -> Block:
        """The windows whose stride-sized middle touches a region (x, y, w, h in level-0 px); at least one."""
        if region is None:
            return Block(0, 0, self.rows, self.cols)
        x, y, width, height = region
        col, cols = self._touching(self.x, x, width)
        row, rows = self._touching(self.y, y, height)
        return Block(row, col, rows, cols)

    def _touching(self, centres: FloatMap, start: float, length: float) -> tuple[int, int]:
        half = self.stride_px * self.scale / 2
        hits = np.flatnonzero((centres + half > start) & (centres - half < start + length))
        if not hits.size:
            return int(np.argmin(np.abs(centres - start - length / 2))), 1
        return int(hits[0]), int(hits[-1] - hits[0] + 1)


@dataclass(frozen=True)
class Block:
    """A rectangle of windows."""

    row: int
    col: int
    rows: int
    cols: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the block in an array of windows."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    def cut(self, at: int, axis: int) -> tuple[Block, Block]:
        """The block in two: its first ``at`` rows (axis 0) or columns (axis 1), and the others."""
        if axis == 0:
            first = Block(self.row, self.col, at, self.cols)
            return first, Block(self.row + at, self.col, self.rows - at, self.cols)
        first = Block(self.row, self.col, self.rows, at)
        return first, Block(self.row, self.col + at, self.rows, self.cols - at)

    def halves(self) -> tuple[Block, Block]:
        """The block cut in the middle of its longer side (which must be at least 2)."""
        axis = 0 if self.rows >= self.cols else 1
        return self.cut(max(self.rows, self.cols) // 2, axis)


def blocks(wanted: npt.NDArray[np.bool_], threads: int = 1, most: int = 28) -> Iterator[Block]:
    """Cut a grid into blocks that hold every wanted window once and as little else as is sensible.

    Parameters
    ----------
    wanted : bool (rows, cols)
    threads : int
        How many will work on them.
    most : int
        Windows along a block's side.
    """
    rows, cols = wanted.shape
    share = math.isqrt(int(wanted.sum()) // (_BLOCKS_PER_THREAD * threads))
    side = min(max(share, _LEAST_WINDOWS), most)
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            block = Block(row, col, min(side, rows - row), min(side, cols - col))
            yield from _tight(wanted, block)


def bands(wanted: npt.NDArray[np.bool_], threads: int, most: int) -> Iterator[Block]:
    """Cut a grid into wide blocks for models that read strips from the top down, only where windows are wanted.

    They come column by column, one down, the next up: a thread that takes them from an end goes on where its last
    block stopped, and finds the file tiles that both touch decoded.

    Parameters
    ----------
    wanted : bool (rows, cols)
    threads : int
        How many will work on them.
    most : int
        Windows along a block's width.
    """
    rows, cols = wanted.shape
    wide = math.ceil(cols / math.ceil(cols / most))
    tall = int(np.clip(rows // (_BLOCKS_PER_THREAD * threads), _LEAST_WINDOWS // 2, _BAND_WINDOWS))
    starts = range(0, rows, tall)
    for index, col in enumerate(range(0, cols, wide)):
        for row in starts if index % 2 == 0 else reversed(starts):
            yield from _shrunk(wanted, Block(row, col, min(tall, rows - row), min(wide, cols - col)))


def _shrunk(wanted: npt.NDArray[np.bool_], block: Block) -> Iterator[Block]:
    """The block without its margins in which nothing is wanted; none if that is all."""
    part = wanted[block.slices]
    if not part.any():
        return
    in_rows, in_cols = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    rows, cols = int(in_rows[-1] - in_rows[0]) + 1, int(in_cols[-1] - in_cols[0]) + 1
    yield Block(block.row + int(in_rows[0]), block.col + int(in_cols[0]), rows, cols)


def _tight(wanted: npt.NDArray[np.bool_], block: Block) -> Iterator[Block]:
    tight = next(_shrunk(wanted, block), None)
    if tight is None:
        return
    cut = _best_cut(wanted, tight)
    if cut is None:
        yield tight
        return
    for half in cut:
        yield from _tight(wanted, half)


def _best_cut(wanted: npt.NDArray[np.bool_], block: Block) -> tuple[Block, Block] | None:
    """The two parts of a block that are cheapest to read, if that is cheaper than reading it whole.

    A part shrinks to its own wanted windows; gaps in the middle of a block are found by repeated cuts.
    """
    part = wanted[block.slices]
    best, least = None, _cost(block.rows, block.cols)
    for axis in (0, 1):
        view = part if axis == 0 else part.T
        before, after = _extents(view), _extents(view[::-1])[::-1]
        for cut in range(1, len(view)):
            (rows_a, cols_a), (rows_b, cols_b) = before[cut - 1], after[cut]
            cost = _cost(rows_a, cols_a) + _cost(rows_b, cols_b)
            if cost < least:
                best, least = block.cut(cut, axis), cost
    return best


def _extents(part: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Size of the box around the wanted windows of the first 1, 2, 3 ... rows (the first row has some)."""
    seen = np.logical_or.accumulate(part, axis=0)
    widths = seen.shape[1] - seen.argmax(axis=1) - seen[:, ::-1].argmax(axis=1)
    heights = np.maximum.accumulate(np.where(part.any(axis=1), np.arange(1, len(part) + 1), 0))
    return list(zip(heights.tolist(), widths.tolist(), strict=True))


def _cost(rows: int, cols: int) -> float:
    return (rows + _READ_MARGIN) * (cols + _READ_MARGIN)


def _along(side: float, window: int, stride: int) -> tuple[int, int]:
    count = max(1, math.ceil((side - window) / stride - 1e-6) + 1)
    overhang = window + stride * (count - 1) - side
    return count, -math.floor(overhang / 2 + 1e-6)
