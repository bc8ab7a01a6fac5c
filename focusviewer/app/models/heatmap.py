"""How a focus map is shown, and what is read off it; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.app.settings import Settings
from focusviewer.focus.base import LEVEL_UM, FocusMap

HISTOGRAM_BINS = 48


@dataclass(frozen=True)
class HeatmapStyle:
    """The choices of the Heatmap panel."""

    model: str = ""
    lut: str = ""
    mode: str = "absolute"
    opacity: float = 0.45
    threshold: float = 3.0
    emphasise: bool = True
    visible: bool = True


def style_of(settings: Settings) -> HeatmapStyle:
    """The choices that were made the last time."""
    return HeatmapStyle(
        model=settings.model,
        lut=settings.lut,
        mode=settings.heatmap_mode,
        opacity=settings.heatmap_opacity,
        threshold=settings.threshold,
    )


@dataclass(frozen=True)
class Histogram:
    """Counts of tissue windows per bin of blur; ``colours`` are uint8 (bins, 4) RGBA."""

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]
    colours: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MapReading:
    """Figures of a focus map."""

    windows: int
    blurred_fraction: float
    median: float
    p95: float


def read_map(focus_map: FocusMap, threshold: float) -> MapReading:
    """Median, 95th percentile and the fraction of tissue windows at or above the threshold."""
    values = focus_map.blur[focus_map.tissue]
    if not values.size:
        return MapReading(0, float("nan"), float("nan"), float("nan"))
    return MapReading(
        int(values.size),
        float(np.mean(values >= threshold)),
        float(np.median(values)),
        float(np.percentile(values, 95)),
    )


def extent(focus_map: FocusMap) -> tuple[float, float, float, float]:
    """x, y, width, height of the map's cells in level-0 pixels: every cell is one stride around its centre."""
    half = focus_map.stride_px / 2
    rows, cols = focus_map.blur.shape
    return (
        float(focus_map.x[0]) - half,
        float(focus_map.y[0]) - half,
        cols * float(focus_map.stride_px),
        rows * float(focus_map.stride_px),
    )


def emphasise(rgba: npt.NDArray[np.uint8], focus_map: FocusMap, threshold: float) -> npt.NDArray[np.uint8]:
    """Fade the cells below the threshold, so that the blurred ones stand out."""
    out = rgba.copy()
    sharp = ~(np.nan_to_num(focus_map.blur, nan=-np.inf) >= threshold)
    out[sharp, 3] = out[sharp, 3] // 4
    return out


def blur_text(value: float, absolute: bool) -> str:
    """A blur score for people: levels and um for absolute models, the bare number otherwise."""
    if not np.isfinite(value):
        return ""
    return f"{value:.1f} levels ≈ {value * LEVEL_UM:.2f} µm" if absolute else f"{value:.3g}"


def region_text(region: tuple[Any, ...], absolute: bool, mpp: float | None) -> str:
    """One line of the worst-regions list."""
    _, _, width, height, mean = region[:5]
    unit = "px" if mpp is None else "µm"
    k = mpp or 1.0
    return f"{blur_text(float(mean), absolute)}   ·   {width * k:,.0f} × {height * k:,.0f} {unit}"
