"""A focus map in a few numbers: the document that ``heatmap --json`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.focus.base import FocusMap
from focusviewer.focus.calibration.store import scanner_key
from focusviewer.focus.mapping.regions import BLURRED_LEVELS, find_regions
from focusviewer.slides import Slide

MOST_REGIONS = 50
"""Regions that a summary lists, the worst of them."""


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
        "sides_um": None if focus_map.sides_um is None else list(focus_map.sides_um),
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
        "fluorescence": focus_map.fluorescence,
        "cannot_tell_windows": 0 if focus_map.cannot_tell is None else int(focus_map.cannot_tell.sum()),
    }


def map_document(
    focus_map: FocusMap, slide: Slide, threshold: float | None = None, path: Path | None = None
) -> dict[str, Any]:
    """:func:`summary`, and which slide it is of: the whole ``heatmap --json`` document.

    Parameters
    ----------
    path : Path, optional
        What the user called the slide; the file it was opened from when missing.
    """
    return {
        **summary(focus_map, threshold),
        "path": str(slide.path if path is None else path),
        "fingerprint": slide.fingerprint,
        "scanner": scanner_key(slide),
    }
