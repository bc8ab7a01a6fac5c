"""A focus map as an image for the slide, with the figures for the panel (any thread)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

from focusviewer.app.heatmap import presentation
from focusviewer.app.heatmap.presentation import HeatmapStyle, Histogram, MapStatistics
from focusviewer.app.services.pixels import rgba_to_qimage
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.colour import LUTS, Mode, colorize, colour_values, value_range


@dataclass(frozen=True)
class MapPicture:
    """A focus map ready to be shown.

    Attributes
    ----------
    rect : (x, y, width, height)
        Extent in level-0 pixels.
    hatched : float64 (N, 4)
        Boxes of windows that cannot be judged: x, y, width, height in level-0 pixels.
    """

    focus_map: FocusMap
    image: QImage
    rect: tuple[float, float, float, float]
    statistics: MapStatistics
    histogram: Histogram
    hatched: npt.NDArray[np.float64]


def picture_of(focus_map: FocusMap, style: HeatmapStyle) -> MapPicture:
    """Colour and measure a map (any thread)."""
    mode: Mode = "absolute" if style.mode == "absolute" and focus_map.absolute else "normalised"
    lut = style.lut if style.lut in LUTS else LUTS[0]
    low, high = value_range(focus_map, mode)
    rgba = colorize(focus_map, mode, lut, low, high)
    shown = presentation.emphasise(rgba, focus_map, style.threshold) if style.emphasise else rgba
    if style.certainty:
        shown = presentation.fade_uncertain(shown, focus_map, high - low)
    shown = presentation.gray_out(shown, focus_map)
    edges = np.linspace(low, high, presentation.HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(focus_map.blur[focus_map.tissue], low, high), edges)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    return MapPicture(
        focus_map,
        rgba_to_qimage(shown),
        presentation.extent(focus_map),
        presentation.map_statistics(focus_map, style.threshold),
        Histogram(counts, edges, colour_values(centres, low, high, lut)),
        presentation.cannot_tell_boxes(focus_map),
    )
