"""Focus maps in colour: look-up tables, and the fixed and the per-slide range."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap
from focusviewer.focus.base import FocusMap

Mode = Literal["absolute", "normalised"]

ABSOLUTE_RANGE = (0.0, 16.0)
"""Range of the absolute mode in focus levels: 0 to 4 um from focus."""

# Control points, evenly spaced from sharp to blurred; interpolated in between. The first three rise steadily in
# lightness, so they read the same to colour-blind eyes and in print.
_CONTROL_POINTS: dict[str, tuple[str, ...]] = {
    "viridis": ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"),
    "magma": ("#000004", "#1d1147", "#51127c", "#832681", "#b73779", "#e75263", "#fc8961", "#fec488", "#fcfdbf"),
    "cividis": ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#fee838"),
    "green-yellow-red": ("#1a9641", "#77c35c", "#c4e687", "#ffffc0", "#fec981", "#f07c4a", "#d7191c"),
    "blue-white-red": ("#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"),
}

LUTS: tuple[str, ...] = tuple(_CONTROL_POINTS)
"""Names of the look-up tables, the default first."""


def lut_colours(name: str) -> npt.NDArray[np.uint8]:
    """Colours of a look-up table, sharp to blurred: uint8 (256, 3).

    Raises
    ------
    KeyError
        If there is no such table (see LUTS).
    """
    points = np.array([[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in _CONTROL_POINTS[name]])
    where = np.linspace(0, 255, len(points))
    channels = [np.interp(np.arange(256), where, points[:, channel]) for channel in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=1)), np.uint8)


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
