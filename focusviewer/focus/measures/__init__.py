"""The training-free sharpness measures of the registry.

Their definitions follow Zhongling Wang, *Image Quality Assessment and Refocusing with Applications in Whole Slide
Imaging*, PhD thesis, University of Waterloo, 2024, chapter 2.1 ("Wang 2024").

What a measure is stands in ``base``; the measures themselves in ``local`` (neighbours and histograms), ``spectral``
(transforms) and ``edges`` (edge widths).
"""

from __future__ import annotations

from focusviewer.focus.measures.base import HALO, STRIDE, WINDOW, Measure, MeasureModel, to_gray
from focusviewer.focus.measures.edges import EDGE_MEASURES
from focusviewer.focus.measures.local import LOCAL_MEASURES
from focusviewer.focus.measures.spectral import SPECTRAL_MEASURES

MEASURES: tuple[Measure, ...] = (*LOCAL_MEASURES, *SPECTRAL_MEASURES, *EDGE_MEASURES)
"""Every measure."""

__all__ = ["HALO", "MEASURES", "STRIDE", "WINDOW", "Measure", "MeasureModel", "to_gray"]
