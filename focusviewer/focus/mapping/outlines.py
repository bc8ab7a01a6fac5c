"""Outlines of sets of grid cells: closed rings along the cells' edges.

skimage.measure.find_contours draws lines through the middles of cells, which cut their corners off.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rings(inside: npt.NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Corners (column, row) of a connected set of cells: the outer ring first, then its holes, each closed."""
    found = [_corners(ring) for ring in _trace(inside)]
    found.sort(key=lambda ring: max(x for x, _ in ring) - min(x for x, _ in ring), reverse=True)
    return found


def _trace(inside: npt.NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Closed walks along the cell edges around a mask, the mask on the right hand."""
    padded = np.pad(inside, 1)
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, col in zip(*np.nonzero(inside), strict=True):
        r, c = int(row), int(col)
        sides = (
            (padded[r, c + 1], (c, r), (c + 1, r)),
            (padded[r + 1, c + 2], (c + 1, r), (c + 1, r + 1)),
            (padded[r + 2, c + 1], (c + 1, r + 1), (c, r + 1)),
            (padded[r + 1, c], (c, r + 1), (c, r)),
        )
        for covered, start, end in sides:
            if not covered:
                edges.setdefault(start, []).append(end)
    rings = []
    while edges:
        # Not at a corner where the region touches itself: there the walk would close too early.
        start = next((point for point, ends in edges.items() if len(ends) == 1), next(iter(edges)))
        ring, point, heading = [start], start, (0, 0)
        while True:
            ends = edges[point]
            # Where two regions touch at a corner, turn right: the ring then stays with its own cells.
            turn = (-heading[1], heading[0])
            preferred = (point[0] + turn[0], point[1] + turn[1])
            end = preferred if preferred in ends else ends[0]
            ends.remove(end)
            if not ends:
                del edges[point]
            heading, point = (end[0] - point[0], end[1] - point[1]), end
            ring.append(point)
            if point == start:
                break
        rings.append(ring)
    return rings


def _corners(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A closed ring without the points on its straight stretches."""
    points = ring[:-1]
    kept = [
        point
        for before, point, after in zip([points[-1], *points[:-1]], points, [*points[1:], points[0]], strict=True)
        if (point[0] - before[0]) * (after[1] - point[1]) != (point[1] - before[1]) * (after[0] - point[0])
    ]
    return [*kept, kept[0]]
