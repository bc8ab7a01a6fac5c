"""The connected blurred regions of a focus map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.focus.mapping.causes import Cause, likely_cause

BLURRED_LEVELS = 3.0
"""Score from which a window counts as blurred: 3 levels = 0.75 um, as in the FocusPath evaluation."""

_MOST_KNOWN = 5  # neighbours of eight that must have a score before a single window counts as an outlier
_ENCLOSED = 7  # blurred neighbours of eight that make a window part of their region


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
        Scores of its windows that have one, in the map's unit.
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
        cell_mm2 = focus_map.cell_mm2
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
    """Number the connected regions of a mask (windows that share a side): labels from 1, and how many."""
    from scipy.ndimage import label

    labels, count = label(mask)
    return np.asarray(labels, np.int32), int(count)


def _box(focus_map: FocusMap, row0: int, col0: int, row1: int, col1: int) -> tuple[float, float, float, float]:
    half = focus_map.stride_px / 2
    return (
        float(focus_map.x[col0]) - half,
        float(focus_map.y[row0]) - half,
        float(focus_map.x[col1]) + half,
        float(focus_map.y[row1]) + half,
    )
