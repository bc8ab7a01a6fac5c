"""Which part of a slide is refocused, from which planes, and why it may not be possible; no Qt here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from focusviewer.app.viewer.document import Document
from focusviewer.core.arrays import FloatMap
from focusviewer.refocus import modes
from focusviewer.refocus.base import MAX_Z_UM, SUPPORTED_MPP
from focusviewer.refocus.sources import AUTO_PLANES, planes_between, source_planes
from focusviewer.refocus.support import MAX_MPP, unsupported

MODES = {
    "assume": "By eye (assumed distance)",
    "refocus": "Refocus (estimated depth)",
    "deblur": "Deblur (best focus of the view)",
    "all-in-focus": "All in focus",
    "defocus": "Defocus (blur on purpose)",
    "paint": "Paint a focus map",
}
"""Modes of the panel, with their names for people."""

KNOB_MODES = ("assume", "refocus", "defocus")
"""Modes in which the knob sets the focus of the picture."""


def resting_mode(planes_um: Sequence[float]) -> str:
    """The mode in which the knob is turned unless another is chosen.

    The user says how far one plane lies from focus; several planes tell where the tissue lies.
    """
    return "assume" if len(planes_um) == 1 else "refocus"


MARGIN_PX = 32
"""Pixels read around the visible part, so that its border is refocused from real surroundings."""

MIN_MARGIN_PX = 12
"""Pixels of them that must remain around a view that has moved, for the last study to be used again."""

KNOB_STEP_UM = 0.05
"""Distance of two positions of the knob."""

_FLOAT_SLACK = 1e-6
"""Scales and pixel sizes that differ by less are the same, but for rounding."""


Box = tuple[int, int, int, int]
"""x, y, width, height in level-0 pixels."""


class Painted(Protocol):
    """A focus map as it was painted at some moment."""

    @property
    def range_um(self) -> tuple[float, float]:
        """Lowest and highest focus in it, um."""
        ...

    def map_um(self, box: Box, shape: tuple[int, int]) -> FloatMap:
        """Focus over a region in um: float32 of the shape (H, W)."""
        ...


@dataclass(frozen=True)
class RefocusRequest:
    """What the user wants to see: a mode, with its focus or its painted map."""

    mode: str
    z_um: float | None = None
    painted: Painted | None = None

    def for_region(self, box: Box, shape: tuple[int, int]) -> modes.RefocusRequest:
        """The request for a region that is worked on in so many rows and columns (in a worker)."""
        if self.painted is not None:
            return modes.RefocusRequest("map", None, self.painted.map_um(box, shape))
        return modes.RefocusRequest(self.mode, self.z_um)


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

    def covers(self, other: RefocusArea) -> bool:
        """Whether a study of this area can be used for another one, whose view has moved or shrunk a little."""
        if replace(other, rect=self.rect) != self:
            return False
        spare = MARGIN_PX - MIN_MARGIN_PX
        mine, wanted = self.rect, other.rect
        near = all(mine[i] <= wanted[i] + spare for i in (0, 1))
        return near and all(mine[i] >= wanted[i] - spare for i in (2, 3))

    def covers_view(self, document: Document, engine: str) -> bool:
        """Whether a study of this area can be used for what is on screen, from the same planes."""
        if self.fingerprint != document.pyramid.fingerprint:
            return False
        return self.covers(area_of(document, engine, self.planes))

    @property
    def box(self) -> Box:
        """The rectangle in level-0 pixels."""
        x0, y0, x1, y1 = (value << self.zoom for value in self.rect)
        return x0, y0, x1 - x0, y1 - y0


def work_zoom(scale: float, mpp: float) -> int:
    """Display zoom that is worked on: the coarsest that is as fine as the screen, as the scan itself is shown.

    A coarser one would be refocused faster, and give a picture that is softer than the scan it replaces.
    """
    return max(finest_zoom(mpp), math.floor(_FLOAT_SLACK - math.log2(scale)))


def finest_zoom(mpp: float) -> int:
    """Finest display zoom that engines take."""
    return max(0, math.ceil(math.log2(SUPPORTED_MPP[0] / mpp) - _FLOAT_SLACK))


def powers(mpp: float) -> tuple[float, float]:
    """Smallest and largest screen magnification at which a slide can be refocused.

    Below the first blur of a few microns does not show; above the second (infinite for most slides) the view shows
    finer pixels than engines take, and a picture of coarser ones would soften it.
    """
    coarsest, finest = math.floor(math.log2(MAX_MPP / mpp)), finest_zoom(mpp)
    return 10.0 * 2.0 ** -(coarsest + 0.5) / mpp, 10.0 * 2.0**-finest / mpp if finest else math.inf


def obstacle(document: Document | None) -> str:
    """Why the current view cannot be refocused; empty when it can."""
    if document is None:
        return "Open a slide first."
    if document.slide.info.not_square is not None:
        return "The pixels of this slide are not square, and the engines know the blur of square ones only."
    if document.mpp is None:
        return "The pixel size of this slide is not known. Set its scale to measure and refocus in microns."
    if document.fluorescence:
        return sentence(unsupported(document.mpp, document.planes_um, fluorescence=True))
    if len(document.planes_um) > 1 and not document.slide.info.z_step_known:
        return "The distance between the planes of this stack is not known. Set it to refocus between them."
    if document.mpp > MAX_MPP:
        return f"Refocusing needs pixels of at most {MAX_MPP} µm; this slide has {document.mpp:.3g} µm."
    (lowest, highest), power = powers(document.mpp), 10.0 * document.view.scale / document.mpp
    if power < lowest * (1 - _FLOAT_SLACK):
        return f"Zoom in to refocus: blur of a few microns shows from {lowest:.0f}× on."
    if power > highest * (1 + _FLOAT_SLACK):
        return (
            f"Zoom out to refocus, to {math.floor(highest)}× or less: engines work on pixels of {SUPPORTED_MPP[0]} µm"
            " and more, which would be softer than this view of the scan."
        )
    x0, y0, x1, y1 = document.view.visible_rect()
    if min(x1 - x0, y1 - y0) < 16:
        return "There is too little of the slide on screen."
    return ""


def area_of(document: Document, engine: str, planes: tuple[int, ...] | None = None) -> RefocusArea:
    """The area to work on for the current view (only when :func:`obstacle` is empty), from some planes or all."""
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
    chosen = tuple(range(len(document.planes_um))) if planes is None else planes
    return RefocusArea(
        document.pyramid.fingerprint,
        zoom,
        rect,
        document.mpp * 2**zoom,
        chosen,
        tuple(document.planes_um[plane] for plane in chosen),
        engine,
    )


def chosen_planes(
    planes_um: tuple[float, ...],
    focus: tuple[float, float] | None,
    manual: tuple[int, ...],
    known: Sequence[tuple[int, ...]],
) -> tuple[int, ...]:
    """Planes to work from: those that the user has chosen, or the nearest to the focus.

    Parameters
    ----------
    focus : (lowest, highest) or None
        Wanted focus, um; None where it follows from what is in the view.
    manual : tuple of int
        Planes that the user has chosen; empty: automatic.
    known : sequence of tuples of int
        Planes that the view was studied from already. The first of them that contain the planes right around the focus
        are used, as studying others takes time; but no fewer than would be chosen otherwise.
    """
    if manual:
        return manual
    if focus is None:
        return source_planes(planes_um, None, AUTO_PLANES)
    best = planes_between(planes_um, *focus, AUTO_PLANES)
    needed = set(planes_between(planes_um, *focus, 0))
    return next((planes for planes in known if needed <= set(planes) and len(planes) >= len(best)), best)


def wanted_area(
    document: Document,
    engine: str,
    focus: tuple[float, float] | None,
    manual: tuple[int, ...],
    studied: Sequence[RefocusArea],
) -> RefocusArea:
    """The area to work on for the current view: one that is studied already where that is enough, else a new one.

    ``focus`` and ``manual`` are those of :func:`chosen_planes`.
    """
    known = [area for area in studied if area.covers_view(document, engine)]
    planes = chosen_planes(document.planes_um, focus, manual, [area.planes for area in known])
    return next((area for area in known if area.planes == planes), None) or area_of(document, engine, planes)


def range_limit(document: Document, z_um: float) -> str:
    """Why a focus is out of the supported range, as a sentence; empty when it is not."""
    return sentence(unsupported(document.mpp, document.planes_um, z_um))


def sentence(reason: str) -> str:
    """A reason of :func:`unsupported`, for the panel."""
    return f"Not supported: {reason.replace(' um', ' µm')}." if reason else ""


def planes_text(planes: tuple[int, ...], count: int) -> str:
    """Which planes a picture was made from, in words; empty on a slide with only one."""
    if count == 1:
        return ""
    if len(planes) == count:
        return f"from all {count} planes"
    names = ", ".join(str(plane + 1) for plane in planes)
    return f"from plane{'s' * (len(planes) > 1)} {names} of {count}"


def badge_text(mode: str, z_um: float | None, planes_um: Sequence[float] = (0.0,)) -> str:
    """The badge of a synthesised picture."""
    words = {"all-in-focus": "all in focus", "paint": "painted focus", "deblur": "best focus"}
    return f"Synthesised  ·  {words[mode] if z_um is None else modes.focus_text(mode, z_um, planes_um)}"


def source_text(area: RefocusArea, count: int) -> str:
    """The engine and the planes that made it, on a slide of ``count`` planes."""
    return "  ·  ".join(filter(None, (area.engine, planes_text(area.planes, count))))


def z_range(planes_um: tuple[float, ...]) -> tuple[float, float]:
    """Ends of the focus slider: 4 um either way of the middle, or 1 um beyond the acquired planes."""
    middle, half = (planes_um[0] + planes_um[-1]) / 2, (planes_um[-1] - planes_um[0]) / 2
    reach = max(MAX_Z_UM, half + 1.0)
    return middle - reach, middle + reach


def grid_um(steps: int) -> float:
    """A position of the knob, counted in steps: 0.3, not 0.30000000000000004, as it stands in files."""
    return round(steps * KNOB_STEP_UM, 6)


def grid_steps(z_um: float) -> int:
    """The position of the knob that is nearest to a focus."""
    return round(z_um / KNOB_STEP_UM)


def snapped_um(z_um: float, planes_um: tuple[float, ...]) -> float:
    """Position of the knob for a focus: on its grid, or at an acquired plane within half a step."""
    low, high = z_range(planes_um)
    value = grid_um(min(max(grid_steps(z_um), grid_steps(low)), grid_steps(high)))
    near = min(planes_um, key=lambda plane_um: abs(plane_um - value))
    return near if abs(near - value) <= KNOB_STEP_UM / 2 else value
