"""What a transfer function leaves unexplained of a blurred plane, in bands of frequency; and what a filter leaves."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import DoubleArray
from focusviewer.simulation.fitting.spectra import RadialSpectra

BANDS = 24
_CROWDED = 1.35


def left_after(spectra: RadialSpectra, filters: DoubleArray, contrast: DoubleArray) -> float:
    """Squared error after a filter, of that before it (both with matched contrast)."""
    cross, blurred = spectra.cross / contrast, spectra.blurred / contrast**2
    after = spectra.count * (spectra.sharp - 2 * filters * cross + filters**2 * blurred)
    before = spectra.count * (spectra.sharp - 2 * cross + blurred)
    return float(after.sum() / before.sum())


def band_edges(highest: float) -> DoubleArray:
    """Edges of the bands, cycles per um: narrow ones at low frequencies."""
    return np.asarray(highest * np.linspace(0.0, 1.0, BANDS + 1) ** _CROWDED)


def band_middles(mpp: float) -> list[float]:
    """Middles of the bands for a pixel size in um, cycles per um."""
    edges = band_edges(0.5 / mpp)
    return [float(value) for value in (edges[1:] + edges[:-1]) / 2]


def banded_error(
    spectra: RadialSpectra, transfer: DoubleArray, contrast: DoubleArray, edges: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """Unexplained power of each band, as a share of the blurred plane's and over the sharp plane's: (C, B) each."""
    away = spectra.transfer / contrast - transfer
    error = spectra.rest / contrast**2 + away**2 * spectra.sharp
    band = np.clip(np.searchsorted(edges, spectra.frequency, side="right") - 1, 0, BANDS - 1)

    def total(power: DoubleArray) -> DoubleArray:
        rows = np.stack([np.bincount(band, spectra.count * row, BANDS) for row in power])
        seen = np.bincount(band, minlength=BANDS) > 0
        middles = np.arange(BANDS)
        return np.stack([np.interp(middles, middles[seen], row[seen]) for row in rows])

    unexplained = total(error)
    return unexplained / total(spectra.blurred / contrast**2), unexplained / total(spectra.sharp)
