"""Reading a piece of a slide strip by strip, from the top down: only rows and columns that wanted windows need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.focus.base import ReadPart

Run = tuple[int, int]
Wanted = npt.NDArray[np.bool_]

_AT_ONCE = 2  # strips that are read at a time


def strips(
    read: ReadPart, wanted: Wanted, window_px: int, stride_px: int, shared_px: int
) -> Iterator[tuple[RGB, list[Run]]]:
    """Every strip of a piece, one stride high, and the runs of windows that need it; one more than there are rows.

    A window takes its own strip and the top of the next, so no pixel is read or worked on twice. Of the pixels only
    those that a run covers mean anything. Some strips are read at a time; the last is never read alone: beyond the
    slide's edge its pixels are mirrored, and that takes enough of them.

    Parameters
    ----------
    wanted : bool (rows, cols)
        Windows that matter.
    window_px, stride_px : int
        Window (with its halo) and step; windows must overlap by more than half.
    shared_px : int
        Rows that a strip needs of the next: those its last step of convolution looks at.

    Yields
    ------
    uint8 (stride + shared, width, 3), and first and last windows of the runs. The last strip is one window less one
    stride high; what lies below is not to be used.
    """
    rows, cols = wanted.shape
    needed = np.zeros((rows + 1, cols), bool)
    needed[:-1] |= wanted
    needed[1:] |= wanted
    buffer = np.empty(((_AT_ONCE + 1) * stride_px + shared_px, stride_px * (cols - 1) + window_px, 3), np.uint8)
    first = 0
    while first <= rows:
        last = min(first + _AT_ONCE, rows + 1) if rows + 1 - first > _AT_ONCE + 1 else rows + 1
        bottom = stride_px * last + shared_px if last <= rows else stride_px * (rows - 1) + window_px
        for start, stop in runs(np.asarray(needed[first:last].any(axis=0))):
            left, right = stride_px * start, stride_px * stop + window_px
            buffer[: bottom - stride_px * first, left:right] = read(stride_px * first, bottom, left, right)
        for row in range(first, last):
            top = stride_px * (row - first)
            yield buffer[top : top + stride_px + shared_px], runs(np.asarray(needed[row]))
        first = last


def runs(needed: Wanted) -> list[Run]:
    """First and last of the windows that lie next to each other; a gap of one is bridged, as its pixels are shared."""
    found: list[Run] = []
    for index in np.flatnonzero(needed).tolist():
        if found and index - found[-1][1] <= 2:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found
