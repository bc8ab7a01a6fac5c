"""A focus map made into what is painted over the slide and told in the panel (any thread)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

from focusviewer.app.heatmap import reading
from focusviewer.app.heatmap.reading import HeatmapStyle, Histogram, MapReading
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
        Boxes of windows that cannot be judged, likewise.
    """

    focus_map: FocusMap
    image: QImage
    rect: tuple[float, float, float, float]
    reading: MapReading
    histogram: Histogram
    hatched: npt.NDArray[np.float64]


def picture_of(focus_map: FocusMap, style: HeatmapStyle) -> MapPicture:
    """Colour and measure a map (any thread)."""
    mode: Mode = "absolute" if style.mode == "absolute" and focus_map.absolute else "normalised"
    lut = style.lut if style.lut in LUTS else LUTS[0]
    low, high = value_range(focus_map, mode)
    rgba = colorize(focus_map, mode, lut, low, high)
    shown = reading.emphasise(rgba, focus_map, style.threshold) if style.emphasise else rgba
    if style.certainty:
        shown = reading.fade_unsure(shown, focus_map, high - low)
    shown = reading.gray_out(shown, focus_map)
    edges = np.linspace(low, high, reading.HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(focus_map.blur[focus_map.tissue], low, high), edges)
    centres = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    return MapPicture(
        focus_map,
        rgba_to_qimage(shown),
        reading.extent(focus_map),
        reading.read_map(focus_map, style.threshold),
        Histogram(counts, edges, colour_values(centres, low, high, lut)),
        reading.cannot_tell_boxes(focus_map),
    )
