"""What a focus map says in numbers: summary, blurred regions, GeoJSON for QuPath."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.focus.base import FocusMap

BLURRED_LEVELS = 3.0
"""Score from which a window counts as blurred: 3 levels = 0.75 um, as in the FocusPath evaluation."""


def summary(focus_map: FocusMap, threshold: float | None = None) -> dict[str, Any]:
    """The map in a few numbers (the ``heatmap --json`` document).

    ``blurred_fraction`` is the part of the tissue windows at or above the threshold, which is in the map's own scores.
    Without one it is BLURRED_LEVELS for absolute models; scores without a scale have none, and then the part is None,
    as is every number when there is no tissue.
    """
    if threshold is None and focus_map.absolute:
        threshold = BLURRED_LEVELS
    values = focus_map.blur[np.isfinite(focus_map.blur)].astype(np.float64)
    some = bool(values.size)
    return {
        "model": focus_map.model,
        "window_px": focus_map.window_px,
        "stride_px": focus_map.stride_px,
        "mpp": focus_map.mpp,
        "windows": int(focus_map.blur.size),
        "tissue_windows": int(values.size),
        "median": float(np.median(values)) if some else None,
        "p95": float(np.percentile(values, 95)) if some else None,
        "blurred_fraction": float((values >= threshold).mean()) if some and threshold is not None else None,
        "seconds": focus_map.seconds,
        "decode_seconds": focus_map.decode_seconds,
        "absolute": focus_map.absolute,
        "threshold": threshold,
        "plane": focus_map.plane,
        "unreadable_windows": focus_map.unreadable,
        "calibration": focus_map.calibration or None,
        "cannot_tell_windows": 0 if focus_map.cannot_tell is None else int(focus_map.cannot_tell.sum()),
    }


def worst_regions(
    focus_map: FocusMap, n: int = 10, threshold: float = BLURRED_LEVELS
) -> list[tuple[float, float, float, float, float]]:
    """The connected blurred regions that weigh most (blur above the threshold, summed), worst first.

    Returns
    -------
    list of (x, y, width, height, mean blur)
        Boxes in level-0 pixels, made of the stride-sized cells around window centres.
    """
    labels, count = label_regions(blurred_windows(focus_map, threshold))
    found = []
    for label in range(1, count + 1):
        rows, cols = np.nonzero(labels == label)
        values = focus_map.blur[rows, cols]
        x0, y0, x1, y1 = _box(focus_map, int(rows.min()), int(cols.min()), int(rows.max()), int(cols.max()))
        weight = float((values - threshold).sum())
        found.append((weight, (x0, y0, x1 - x0, y1 - y0, float(values.mean()))))
    found.sort(key=lambda item: item[0], reverse=True)
    return [region for _, region in found[:n]]


def blurred_windows(focus_map: FocusMap, threshold: float = BLURRED_LEVELS) -> npt.NDArray[np.bool_]:
    """Windows with a score at or above the threshold: bool (rows, cols)."""
    return np.isfinite(focus_map.blur) & (np.nan_to_num(focus_map.blur, nan=-np.inf) >= threshold)


def label_regions(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], int]:
    """Number the connected regions of a small mask (windows that share a side): labels from 1, and how many."""
    labels = np.zeros(mask.shape, np.int32)
    count = 0
    for row, col in zip(*np.nonzero(mask), strict=True):
        if labels[row, col]:
            continue
        count += 1
        labels[row, col] = count
        front = [(int(row), int(col))]
        while front:
            r, c = front.pop()
            for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                inside = 0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1]
                if inside and mask[near] and not labels[near]:
                    labels[near] = count
                    front.append(near)
    return labels, count


def to_geojson(focus_map: FocusMap, threshold: float = BLURRED_LEVELS) -> dict[str, Any]:
    """Blurred regions as GeoJSON that QuPath opens as annotations; coordinates in level-0 pixels.

    Each connected region is one annotation with its outline, holes included, and with its mean and largest score
    as measurements.
    """
    labels, count = label_regions(blurred_windows(focus_map, threshold))
    features = []
    for label in range(1, count + 1):
        inside = labels == label
        values = focus_map.blur[inside]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": _rings(focus_map, inside)},
                "properties": {
                    "objectType": "annotation",
                    "name": f"Blurred region {label}",
                    "classification": {"name": "Blurred", "color": [215, 25, 28]},
                    "measurements": {
                        "Blur mean": float(values.mean()),
                        "Blur max": float(values.max()),
                        "Windows": int(values.size),
                    },
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _box(focus_map: FocusMap, row0: int, col0: int, row1: int, col1: int) -> tuple[float, float, float, float]:
    half = focus_map.stride_px / 2
    return (
        float(focus_map.x[col0]) - half,
        float(focus_map.y[row0]) - half,
        float(focus_map.x[col1]) + half,
        float(focus_map.y[row1]) + half,
    )


def _rings(focus_map: FocusMap, inside: npt.NDArray[np.bool_]) -> list[list[list[float]]]:
    """Outline of a connected set of cells: the outer ring first, then its holes, each closed."""
    rings = [_corners(ring) for ring in _trace(inside)]
    rings.sort(key=lambda ring: max(x for x, _ in ring) - min(x for x, _ in ring), reverse=True)
    half = focus_map.stride_px / 2
    x0, y0 = float(focus_map.x[0]) - half, float(focus_map.y[0]) - half
    step = focus_map.stride_px
    return [[[x0 + step * col, y0 + step * row] for col, row in ring] for ring in rings]


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
