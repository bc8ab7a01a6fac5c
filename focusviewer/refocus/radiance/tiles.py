"""Cutting a view into overlapping tiles, so that memory does not grow with the view; blending what comes back.

Tiles start at multiples of 32 pixels, where the windows of the network's attentions start: two tiles then see the same
windows and differ only by what the network sees beyond their edges. The outermost third of an overlap is context only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import FloatMap

ALIGN_PX = 32
CONTEXT_PX = 32
OVERLAP_PX = 3 * CONTEXT_PX

Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """Rows and columns of a view, and the view's size."""

    rows: Span
    columns: Span
    size: tuple[int, int]

    @property
    def part(self) -> tuple[slice, slice]:
        """Where the tile lies in a map of the view."""
        return slice(*self.rows), slice(*self.columns)

    def weights(self) -> FloatMap:
        """What counts of the tile, pixel by pixel; over all tiles of a view these sum to 1."""
        return _ramp(self.rows, self.size[0])[:, None] * _ramp(self.columns, self.size[1])[None]


def tiles(size: tuple[int, int], side_px: int) -> list[Tile]:
    """Cut a view of (H, W) pixels into tiles of at most ``side_px``, a multiple of 32 larger than the overlap."""
    return [Tile(rows, columns, size) for rows in _spans(size[0], side_px) for columns in _spans(size[1], side_px)]


def _spans(length: int, side: int) -> list[Span]:
    spans = [(0, min(side, length))]
    while spans[-1][1] < length:
        start = spans[-1][1] - OVERLAP_PX
        spans.append((start, min(start + side, length)))
    return spans


def _ramp(span: Span, length: int) -> FloatMap:
    weights = np.ones(span[1] - span[0], np.float32)
    rise = np.zeros(OVERLAP_PX, np.float32)
    rise[CONTEXT_PX : 2 * CONTEXT_PX] = (np.arange(CONTEXT_PX) + 0.5) / CONTEXT_PX
    rise[2 * CONTEXT_PX :] = 1
    if span[0] > 0:
        weights[:OVERLAP_PX] = rise
    if span[1] < length:
        weights[-OVERLAP_PX:] = 1 - rise
    return weights
