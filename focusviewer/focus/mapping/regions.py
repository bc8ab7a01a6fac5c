"""What a focus map says in numbers: summary, blurred regions, GeoJSON for QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import numpy.typing as npt

from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.focus.mapping.causes import Cause, likely_cause
from focusviewer.focus.mapping.outlines import rings

BLURRED_LEVELS = 3.0
"""Score from which a window counts as blurred: 3 levels = 0.75 um, as in the FocusPath evaluation."""

MOST_REGIONS = 50
"""Regions that a summary lists, the worst of them."""

_MOST_KNOWN = 5  # neighbours of eight that must be judged before a lonely window counts for nothing
_ENCLOSED = 7  # blurred neighbours of eight that make a window part of their region


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
    regions = find_regions(focus_map, threshold) if some and threshold is not None else []
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
        "regions": [region.as_dict() for region in regions[:MOST_REGIONS]],
        "cannot_tell_windows": 0 if focus_map.cannot_tell is None else int(focus_map.cannot_tell.sum()),
    }


def worst_regions(
    focus_map: FocusMap, n: int = 10, threshold: float = BLURRED_LEVELS
) -> list[tuple[float, float, float, float, float]]:
    """The blurred regions that weigh most, worst first (see :func:`find_regions`).

    Returns
    -------
    list of (x, y, width, height, mean blur)
        Boxes in level-0 pixels, made of the stride-sized cells around window centres.
    """
    return [(*region.box, region.mean) for region in find_regions(focus_map, threshold)[:n]]


@dataclass(frozen=True)
class BlurRegion:
    """A connected blurred region.

    Attributes
    ----------
    box : (x, y, width, height)
        In level-0 pixels, made of the stride-sized cells around window centres.
    windows : int
        Cells it is made of.
    mean, largest : float
        Scores of its judged windows, in the map's unit.
    area_mm2 : float or None
        None where the scale is unknown.
    mean_um : float or None
        Mean distance from focus; None where scores are no distances.
    cause : Cause
        What it looks like.
    inside : bool (rows, cols)
        Its cells.
    """

    box: tuple[float, float, float, float]
    windows: int
    mean: float
    largest: float
    area_mm2: float | None
    mean_um: float | None
    cause: Cause
    inside: npt.NDArray[np.bool_]

    def as_dict(self) -> dict[str, Any]:
        """The region as an entry of ``heatmap --json``."""
        x, y, width, height = self.box
        return {
            "x": x,
            "y": y,
            "width": width,
            "height": height,
            "windows": self.windows,
            "area_mm2": self.area_mm2,
            "mean": self.mean,
            "mean_um": self.mean_um,
            "cause": self.cause,
        }


def find_regions(focus_map: FocusMap, threshold: float = BLURRED_LEVELS) -> list[BlurRegion]:
    """The connected blurred regions, those first that weigh most (blur above the threshold, summed).

    Their mask is smoothed: single blurred windows in the midst of sharp ones are no region, single others in the midst
    of blurred ones belong to theirs.
    """
    labels, count = label_regions(smoothed_windows(focus_map, threshold))
    found = []
    for label in range(1, count + 1):
        inside = labels == label
        values = focus_map.blur[inside & focus_map.tissue].astype(np.float64)
        if not values.size:
            continue
        rows, cols = np.nonzero(inside)
        x0, y0, x1, y1 = _box(focus_map, int(rows.min()), int(cols.min()), int(rows.max()), int(cols.max()))
        mean = float(values.mean())
        cell_mm2 = None if focus_map.mpp is None else (focus_map.stride_px * focus_map.mpp / 1000) ** 2
        region = BlurRegion(
            box=(x0, y0, x1 - x0, y1 - y0),
            windows=int(rows.size),
            mean=mean,
            largest=float(values.max()),
            area_mm2=None if cell_mm2 is None else rows.size * cell_mm2,
            mean_um=mean * LEVEL_UM if focus_map.absolute else None,
            cause=likely_cause(inside, focus_map, threshold),
            inside=inside,
        )
        found.append((float((values - threshold).sum()), region))
    found.sort(key=lambda item: -item[0])
    return [region for _, region in found]


def smoothed_windows(focus_map: FocusMap, threshold: float = BLURRED_LEVELS) -> npt.NDArray[np.bool_]:
    """Blurred windows with single outliers undone, where most neighbours are known: bool (rows, cols)."""
    blurred = blurred_windows(focus_map, threshold)
    known, bad = _neighbours(focus_map.tissue), _neighbours(blurred)
    lonely = blurred & (bad == 0) & (known >= _MOST_KNOWN)
    enclosed = ~blurred & (bad >= _ENCLOSED)
    return np.asarray((blurred & ~lonely) | enclosed)


def _neighbours(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    padded = np.pad(mask, 1).astype(np.int64)
    rows, cols = mask.shape
    shifted = (padded[r : r + rows, c : c + cols] for r in range(3) for c in range(3) if (r, c) != (1, 1))
    return np.asarray(sum(shifted))


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
    """Blurred regions as GeoJSON that QuPath opens as locked annotations; coordinates in level-0 pixels.

    Each region is one annotation with its outline, holes included, with area, severity and scores as measurements; its
    name tells the likely cause.
    """
    features = []
    for number, region in enumerate(find_regions(focus_map, threshold), 1):
        measurements: dict[str, float] = {
            "Blur mean": region.mean,
            "Blur max": region.largest,
            "Windows": region.windows,
        }
        if region.mean_um is not None:
            measurements["Distance from focus µm"] = region.mean_um
        if region.area_mm2 is not None:
            measurements["Area mm^2"] = region.area_mm2
        features.append(
            {
                "type": "Feature",
                "id": str(uuid5(NAMESPACE_OID, f"{focus_map.model} {region.box}")),
                "geometry": {"type": "Polygon", "coordinates": _coordinates(focus_map, region.inside)},
                "properties": {
                    "objectType": "annotation",
                    "name": f"Blurred region {number} ({region.cause})",
                    "classification": {"name": "Blurred", "color": [215, 25, 28]},
                    "isLocked": True,
                    "measurements": measurements,
                    "metadata": {"Likely cause": region.cause},
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _coordinates(focus_map: FocusMap, inside: npt.NDArray[np.bool_]) -> list[list[list[float]]]:
    half = focus_map.stride_px / 2
    x0, y0 = float(focus_map.x[0]) - half, float(focus_map.y[0]) - half
    step = focus_map.stride_px
    return [[[x0 + step * col, y0 + step * row] for col, row in ring] for ring in rings(inside)]


def _box(focus_map: FocusMap, row0: int, col0: int, row1: int, col1: int) -> tuple[float, float, float, float]:
    half = focus_map.stride_px / 2
    return (
        float(focus_map.x[col0]) - half,
        float(focus_map.y[row0]) - half,
        float(focus_map.x[col1]) + half,
        float(focus_map.y[row1]) + half,
    )
