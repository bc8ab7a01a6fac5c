"""Focus maps in colour: look-up tables, and the fixed and the per-slide range."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap
from focusviewer.focus.base import FocusMap

Mode = Literal["absolute", "normalised"]

ABSOLUTE_RANGE = (0.0, 16.0)
"""Range of the absolute mode in focus levels: 0 to 4 um from focus."""

_TABLES = {
    "viridis": "bids:viridis",
    "magma": "bids:magma",
    "cividis": "cividis:cividis",
    "green-yellow-red": "colorbrewer:RdYlGn_5_r",
    "blue-white-red": "colorbrewer:RdBu_7_r",
}
"""Our names, and those of cmap. The first three rise steadily in lightness, so they read the same to colour-blind eyes
and in print."""

LUTS: tuple[str, ...] = tuple(_TABLES)
"""Names of the look-up tables, the default first."""


@lru_cache(maxsize=len(_TABLES))
def lut_colours(name: str) -> npt.NDArray[np.uint8]:
    """Colours of a look-up table, sharp to blurred: uint8 (256, 3), read-only.

    Raises
    ------
    KeyError
        If there is no such table (see LUTS).
    """
    from cmap import Colormap  # 50 ms, which no start of the program has to wait for

    # The tables of ColorBrewer are a few colours for as many classes; a scale runs evenly from one to the next.
    table = Colormap(_TABLES[name], interpolation="linear").lut(256)[:, :3]
    colours: npt.NDArray[np.uint8] = np.rint(255 * np.clip(table, 0.0, 1.0)).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def value_range(focus_map: FocusMap, mode: Mode = "absolute") -> tuple[float, float]:
    """Scores that get the first and the last colour.

    Absolute: the same 0 to 4 um for every slide, so that slides can be compared (models without a scale have no
    such range and fall back). Normalised: the slide's own 2nd to 98th percentile.
    """
    if mode == "absolute" and focus_map.absolute:
        return ABSOLUTE_RANGE
    values = focus_map.blur[np.isfinite(focus_map.blur)]
    if not values.size:
        return ABSOLUTE_RANGE
    low, high = (float(value) for value in np.percentile(values, (2, 98)))
    return low, max(high, low + 1e-6)


def colorize(
    focus_map: FocusMap,
    mode: Mode = "absolute",
    lut: str = LUTS[0],
    vmin: float | None = None,
    vmax: float | None = None,
) -> npt.NDArray[np.uint8]:
    """Colour a map.

    Parameters
    ----------
    mode : "absolute" or "normalised"
        See :func:`value_range`.
    lut : str
        One of LUTS.
    vmin, vmax : float, optional
        Override the ends of the range, in the map's scores.

    Returns
    -------
    uint8 (rows, cols, 4)
        RGBA; fully transparent where the map has no value.
    """
    low, high = value_range(focus_map, mode)
    return colour_values(focus_map.blur, low if vmin is None else vmin, high if vmax is None else vmax, lut)


def colour_values(values: FloatMap, low: float, high: float, lut: str = LUTS[0]) -> npt.NDArray[np.uint8]:
    """Colour any array of scores: RGBA of its shape, transparent where it is NaN."""
    known = np.isfinite(values)
    place = (np.where(known, values, low) - low) / max(high - low, 1e-9)
    index = np.rint(np.clip(place, 0, 1) * 255).astype(np.uint8)
    rgba = np.empty((*values.shape, 4), np.uint8)
    rgba[..., :3] = lut_colours(lut)[index]
    rgba[..., 3] = np.where(known, 255, 0)
    rgba[~known] = 0
    return rgba
