"""Words for scales: magnification, zoom presets, lengths for the scale bar and the status bar."""

from __future__ import annotations

import math

from focusviewer.app.viewer.view import snap_scale

PRESETS = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
"""Magnifications of the keys 1 to 7."""

UM_PER_PX_AT_1X = 10.0
"""Scanner convention: 40x is 0.25 um per pixel, so 1x is 10 um per pixel."""

ASSUMED_MPP = 0.25
"""Used only to place the presets of a slide without a known scale (40x = its own pixels), never to measure."""


def magnification(scale: float, mpp: float | None) -> float | None:
    """Magnification of the screen picture, None when the slide has no known scale."""
    return None if mpp is None else UM_PER_PX_AT_1X * scale / mpp


def preset_scale(index: int, mpp: float | None) -> float:
    """Screen pixels per level-0 pixel of preset ``index`` (0-based).

    Scales within 3 % of a power of two are taken as that power, so that the scan's own pixels show unscaled.
    """
    return snap_scale(PRESETS[index] * (mpp or ASSUMED_MPP) / UM_PER_PX_AT_1X)


def preset_text(index: int, mpp: float | None) -> str:
    """Name of a preset: a magnification, or the pixel ratio when the slide has no known scale."""
    if mpp is not None:
        return f"{PRESETS[index]:g}×"
    ratio = preset_scale(index, None)
    return f"{ratio:g}:1" if ratio >= 1 else f"1:{1 / ratio:g}"


def zoom_text(scale: float, mpp: float | None) -> str:
    """Zoom for the status bar, e.g. ``20× (50 %)``."""
    percent = f"{100 * scale:.3g} %"
    power = magnification(scale, mpp)
    return percent if power is None else f"{power:.3g}×  ({percent})"


def nice_length(longest: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is not above ``longest``."""
    base = 10.0 ** math.floor(math.log10(longest))
    return max(step * base for step in (1.0, 2.0, 5.0) if step * base <= longest * (1 + 1e-9))


def length_text(um: float) -> str:
    """A length in um, or mm from 1000 um on."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def position_text(x: float, y: float, sides_um: tuple[float, float] | None) -> str:
    """A slide position in um where the sides of a pixel are known, else in level-0 pixels."""
    if sides_um is None:
        return f"x {x:,.0f}  y {y:,.0f} px"
    return f"x {x * sides_um[0]:,.1f}  y {y * sides_um[1]:,.1f} µm"
