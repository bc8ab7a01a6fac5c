"""The Wiener pictures that the network of the engine ``learned`` is given."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import FloatArray
from focusviewer.refocus.fast.parallel import each
from focusviewer.refocus.wiener.filters import PictureSpectrum, wiener_transfer

FILTERS = ((1.0, 0.1), (1.0, 0.4), (1.0, 1.6), (0.6, 0.4), (1.6, 0.4))
"""Assumed distance, as a multiple of the one that is given, and regularisation of each Wiener picture.

Too little, enough and too much regularisation show what the model of blur does not explain here; a shorter and a longer
distance show whether the given one fits."""

LEAST_UM, MOST_UM = 0.3, 4.5
"""Distances that are assumed at the least and at the most."""

MULTIPLE = 8
"""Sides of what the network is given are multiples of this, px."""

REACH_PX = 128
"""Context around a pixel that decides about it, px: more than the network's receptive field."""

_STEP_UM = 0.05


def assumed_um(distance_um: float) -> float:
    """The distance that is assumed for one that was read or given: within limits, in steps of 0.05 um."""
    return float(np.clip(round(distance_um / _STEP_UM) * _STEP_UM, LEAST_UM, MOST_UM))


def wiener_pictures(spectrum: PictureSpectrum, distance_um: float) -> FloatArray:
    """The scan through each of :data:`FILTERS`, to focus: float32 (len(FILTERS), H, W, 3), in the scan's units.

    Parameters
    ----------
    distance_um : float
        From :func:`assumed_um`.
    """
    height, width = spectrum.table.bins.shape
    made = np.empty((len(FILTERS), height, width, 3), np.float32)

    def fill(index: int) -> None:
        share, regularisation = FILTERS[index]
        transfer = wiener_transfer(spectrum.table.frequency, share * distance_um, 0.0, regularisation)
        made[index] = spectrum.filtered(transfer)

    each(fill, range(len(FILTERS)))
    return made
