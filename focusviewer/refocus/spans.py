"""A length cut into overlapping spans, and the weights that blend what was made of each."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import FloatMap

Span = tuple[int, int]
"""Begin and end, in pixels."""

TILE_PX = 1024
OVERLAP_PX = 64


def spans(length: int, tile: int = TILE_PX, overlap: int = OVERLAP_PX) -> list[Span]:
    """Cut a length into overlapping spans of about equal size, each at most ``tile`` long."""
    count = max(1, -(-(length - overlap) // (tile - overlap)))
    if count == 1:
        return [(0, length)]
    core = (length - overlap) / count
    return [(round(i * core), length if i == count - 1 else round((i + 1) * core) + overlap) for i in range(count)]


def fade(span: Span, length: int, overlap: int = OVERLAP_PX) -> FloatMap:
    """Weights of a span: linear ramps where it overlaps a neighbour; those of all spans sum to 1 everywhere."""
    weights = np.ones(span[1] - span[0], np.float32)
    ramp = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
    if span[0] > 0:
        weights[:overlap] = ramp
    if span[1] < length:
        weights[-overlap:] = 1 - ramp
    return weights
