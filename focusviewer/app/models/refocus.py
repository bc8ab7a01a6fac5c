"""What the refocusing of a view needs to know, and why it may not be possible; no Qt here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from focusviewer.app.models.document import Document
from focusviewer.refocus.base import MAX_Z_UM

MAX_MPP = 0.6
"""Coarsest screen pixel, in um, at which a few microns of defocus can be seen and so be worked on."""

FINEST_MPP = 0.15
"""Finest pixel, in um, that engines are made for; finer scans are worked on at their next zoom."""

MARGIN_PX = 32
"""Pixels read around the visible part, so that its border is refocused from real surroundings."""

SAME_Z_UM = 0.005


@dataclass(frozen=True)
class RefocusArea:
    """The pixels an engine works on: a rectangle (x0, y0, x1, y1) in pixels of a display zoom."""

    fingerprint: str
    zoom: int
    rect: tuple[int, int, int, int]
    mpp: float
    planes: tuple[int, ...]
    planes_um: tuple[float, ...]
    engine: str


def work_zoom(scale: float, mpp: float) -> int:
    """Display zoom whose pixels are closest to the screen's, among those an engine takes."""
    finest = math.ceil(math.log2(FINEST_MPP / mpp))
    return max(0, finest, round(-math.log2(scale)))


def coarsest_power(mpp: float) -> float:
    """Smallest screen magnification at which a slide can be refocused."""
    zoom = math.floor(math.log2(MAX_MPP / mpp))
    return float(10.0 * 2.0 ** -(zoom + 0.5) / mpp)


def obstacle(document: Document | None) -> str:
    """Why the current view cannot be refocused; empty when it can."""
    if document is None:
        return "Open a slide first."
    if document.mpp is None:
        return "The pixel size of this slide is not known. Set its scale to measure and refocus in microns."
    if len(document.planes_um) > 1 and not document.slide.info.z_step_known:
        return "The distance between the planes of this stack is not known. Set it to refocus between them."
    if document.mpp > MAX_MPP:
        return f"Refocusing needs pixels of at most {MAX_MPP} µm; this slide has {document.mpp:.3g} µm."
    if document.mpp * 2 ** work_zoom(document.view.scale, document.mpp) > MAX_MPP:
        return f"Zoom in to refocus: blur of a few microns shows from {coarsest_power(document.mpp):.0f}× on."
    x0, y0, x1, y1 = document.view.visible_rect()
    if min(x1 - x0, y1 - y0) < 16:
        return "There is too little of the slide on screen."
    return ""


def area_of(document: Document, engine: str) -> RefocusArea:
    """The area to work on for the current view (only when :func:`obstacle` is empty)."""
    assert document.mpp is not None
    zoom = min(work_zoom(document.view.scale, document.mpp), document.pyramid.n_zooms - 1)
    shrink = 2.0**-zoom
    width, height = document.pyramid.size(zoom)
    x0, y0, x1, y1 = (value * shrink for value in document.view.visible_rect())
    rect = (
        max(0, math.floor(x0) - MARGIN_PX),
        max(0, math.floor(y0) - MARGIN_PX),
        min(width, math.ceil(x1) + MARGIN_PX),
        min(height, math.ceil(y1) + MARGIN_PX),
    )
    planes_um = document.planes_um
    return RefocusArea(
        document.pyramid.fingerprint,
        zoom,
        rect,
        document.mpp * 2**zoom,
        tuple(range(len(planes_um))),
        planes_um,
        engine,
    )


def acquired_plane(planes_um: tuple[float, ...], z_um: float) -> int | None:
    """Index of the acquired plane at ``z_um``, None between planes."""
    for index, plane_um in enumerate(planes_um):
        if abs(plane_um - z_um) < SAME_Z_UM:
            return index
    return None


def z_range(planes_um: tuple[float, ...]) -> tuple[float, float]:
    """Ends of the focus slider: 4 um either way of the middle, or 1 um beyond the acquired planes."""
    middle, half = (planes_um[0] + planes_um[-1]) / 2, (planes_um[-1] - planes_um[0]) / 2
    reach = max(MAX_Z_UM, half + 1.0)
    return middle - reach, middle + reach
