"""The training-free sharpness measures of the registry.

What a measure is stands in ``measures_base``; the measures themselves in ``measures_local`` (neighbours and
histograms), ``measures_spectral`` (transforms) and ``measures_edges`` (edge widths).
"""

from __future__ import annotations

from focusviewer.focus.measures_base import HALO, STRIDE, WINDOW, Measure, MeasureModel, to_gray
from focusviewer.focus.measures_edges import EDGE_MEASURES
from focusviewer.focus.measures_local import LOCAL_MEASURES
from focusviewer.focus.measures_spectral import SPECTRAL_MEASURES

MEASURES: tuple[Measure, ...] = (*LOCAL_MEASURES, *SPECTRAL_MEASURES, *EDGE_MEASURES)
"""Every measure."""

__all__ = ["HALO", "MEASURES", "STRIDE", "WINDOW", "Measure", "MeasureModel", "to_gray"]
