"""The optics profile of a scanner from its slides: a focal stack, or a field in focus and the same field out of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from focusviewer.core.arrays import RGB, DoubleArray
from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import ScaleUnknownError, UserError
from focusviewer.focus.calibration.store import scanner_key
from focusviewer.optics.profile import Method, OpticsProfile
from focusviewer.refocus.fast.operators import scarcity
from focusviewer.refocus.wiener.engine import regularisation
from focusviewer.simulation.fitting.profile import FittedOptics, PlanePair, fit_optics, sharpest_plane
from focusviewer.slides import Region, Slide

SIDE_PX = 1024
"""Side of the field that is measured, at most: the part of the slide with most structure."""

MOST_PAIRS = 6
"""Planes that are compared with the one in focus."""

FURTHEST_UM = 8.0
"""Planes further from focus say little: next to nothing is left of the tissue."""

OnShare = Callable[[float], None]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Measured:
    """A profile, and what people should know about how it was made.

    Attributes
    ----------
    reference : int or None
        Plane of the stack taken for the one in focus.
    notes : tuple of str
    """

    profile: OpticsProfile
    reference: int | None
    notes: tuple[str, ...]


def profile_of_stack(
    slide: Slide,
    *,
    reference: int | None = None,
    step_um: float | None = None,
    scanner: str | None = None,
    on_progress: OnShare | None = None,
    cancel: threading.Event | None = None,
) -> Measured:
    """Measure the optics on a focal stack.

    Where the distance of its planes is known, the aperture follows from it; where it is not, only the shape of the blur
    tells the aperture, and distances are those that suit it.

    Parameters
    ----------
    reference : int, optional
        Plane in focus; the one with most fine structure when missing.
    step_um : float, optional
        Distance of the planes, where the file does not say it.
    scanner : str, optional
        Key to store it under; the slide's own by default.

    Raises
    ------
    UserError
        If this is no stack, its scale is unknown, or it holds too little tissue.
    CancelledError
        If ``cancel`` is set.
    """
    count = len(slide.planes_um)
    mpp = _scale(slide)
    if count < 2:
        raise UserError(
            f"{slide.name} is no focal stack to measure optics with",
            "it has one plane",
            "Give a stack of 2 planes or more, or two files: one in focus, and the same field out of focus.",
        )
    positions = _positions(slide, step_um)
    box = _telling_box(slide, count // 2)
    planes: list[RGB] = []
    for plane in range(count):
        stop_if(cancel)
        planes.append(slide.read_region(Region(0, *box, plane)))
    best = sharpest_plane(np.stack(planes)[:, None]) if reference is None else reference
    some = _telling_planes(count, best, positions)
    images = _alike([planes[best], *(planes[plane] for plane in some)])
    pairs = [
        PlanePair(
            images[0][None],
            blurred[None],
            1 if plane > best else -1,
            None if positions is None else abs(positions[plane] - positions[best]),
        )
        for plane, blurred in zip(some, images[1:], strict=True)
    ]
    fitted = fit_optics(pairs, mpp, _usual, on_progress, cancel)
    notes = () if positions is not None else ("The distance of the planes is not known: distances were fitted too.",)
    made = _profile(slide, mpp, fitted, "stack", f"stack {slide.name}, plane {best} and {len(some)} others", scanner)
    return Measured(made, best, (*notes, *_advice(made)))


def profile_of_pair(
    sharp: Slide,
    blurred: Slide,
    *,
    scanner: str | None = None,
    on_progress: OnShare | None = None,
    cancel: threading.Event | None = None,
) -> Measured:
    """Measure the optics on a field in focus, and the same field out of focus (the first planes of two slides).

    How far the second lies out of focus is fitted too, so the aperture follows from the shape of the blur alone.

    Raises
    ------
    UserError, CancelledError
        As :func:`profile_of_stack`; also where the two do not show the same tissue.
    """
    mpp = _scale(sharp)
    _check_sizes(sharp, blurred)
    box = _telling_box(sharp, 0)
    images = _alike([slide.read_region(Region(0, *box)) for slide in (sharp, blurred)])
    fitted = fit_optics([PlanePair(images[0][None], images[1][None])], mpp, _usual, on_progress, cancel)
    made = _profile(sharp, mpp, fitted, "pair", f"{sharp.name} and {blurred.name}", scanner)
    notes = ("One pair does not tell the distance: it was fitted, with the aperture, to the shape of the blur.",)
    return Measured(made, None, (*notes, *_advice(made)))


def sharper_first(first: Slide, second: Slide) -> tuple[Slide, Slide]:
    """Two slides of one field, the one with more fine structure first.

    Raises
    ------
    UserError
        If they differ in size.
    """
    _check_sizes(first, second)
    box = _telling_box(first, 0)
    planes = np.stack([slide.read_region(Region(0, *box)) for slide in (first, second)])
    return (first, second) if sharpest_plane(planes[:, None]) == 0 else (second, first)


def _check_sizes(first: Slide, second: Slide) -> None:
    if first.dimensions != second.dimensions:
        sizes = [" x ".join(map(str, slide.dimensions)) for slide in (first, second)]
        raise UserError(
            f"{first.name} and {second.name} do not fit together",
            f"one is {sizes[0]}, the other {sizes[1]} pixels",
            "Give two scans of the same field.",
        )


def _usual(frequency: DoubleArray, z_um: float) -> DoubleArray:
    return np.asarray(regularisation(z_um) * scarcity(np.asarray(frequency, np.float32)), dtype=np.float64)


def _scale(slide: Slide) -> float:
    if slide.mpp is None:
        raise ScaleUnknownError(slide.name)
    return slide.mpp


def _positions(slide: Slide, step_um: float | None) -> list[float] | None:
    """Where the planes lie, um; None where nobody knows."""
    if step_um is not None:
        return [index * step_um for index in range(len(slide.planes_um))]
    return list(slide.planes_um) if slide.info.z_step_known else None


def _telling_planes(count: int, best: int, positions: list[float] | None) -> list[int]:
    """Planes to compare with the best one: on both sides, near ones and far ones."""
    usable = [
        plane
        for plane in range(count)
        if plane != best and (positions is None or abs(positions[plane] - positions[best]) <= FURTHEST_UM)
    ]
    if not usable:
        raise UserError(
            "No plane can be compared with the one in focus",
            f"all others lie more than {FURTHEST_UM:g} um away",
            "Give a stack with finer steps.",
        )
    if positions is None:  # beyond some ten planes there is nothing left of the tissue in most stacks
        usable = [plane for plane in usable if abs(plane - best) <= 9]
    if len(usable) <= MOST_PAIRS:
        return usable
    places = np.unique(np.linspace(0, len(usable) - 1, MOST_PAIRS).round().astype(int))
    return [usable[place] for place in places]


def _telling_box(slide: Slide, plane: int) -> Box:
    """The part of the slide with most structure: x, y, width, height in level-0 pixels."""
    width, height = slide.dimensions
    if max(width, height) <= SIDE_PX:
        return 0, 0, width, height
    level = next(
        (index for index, one in reversed(list(enumerate(slide.info.levels))) if max(one.width, one.height) >= 512), 0
    )
    coarse = slide.info.levels[level]
    scale = width / coarse.width
    if coarse.width * coarse.height > 6000**2:  # a slide without a pyramid: its middle
        return _box_at(width, height, width / 2, height / 2)
    seen = slide.read_region(Region(level, 0, 0, coarse.width, coarse.height, plane)).mean(axis=2, dtype=np.float32)
    from scipy.ndimage import uniform_filter

    edges = np.hypot(np.gradient(seen, axis=0), np.gradient(seen, axis=1))
    energy = uniform_filter(edges, max(3, round(SIDE_PX / scale)), mode="constant")
    y, x = np.unravel_index(int(np.argmax(energy)), energy.shape)
    return _box_at(width, height, float(x) * scale, float(y) * scale)


def _box_at(width: int, height: int, x: float, y: float) -> Box:
    """A box around a place, moved inside the slide."""
    sides = min(SIDE_PX, width), min(SIDE_PX, height)
    left = int(np.clip(x - sides[0] / 2, 0, width - sides[0]))
    top = int(np.clip(y - sides[1] / 2, 0, height - sides[1]))
    return left, top, *sides


def _alike(images: Sequence[RGB]) -> list[RGB]:
    """Planes as they are, or with one channel where they are all gray."""
    gray = all((image == image[..., :1]).all() for image in images)
    return [image[..., :1] if gray else image for image in images]


def _profile(
    slide: Slide, mpp: float, fitted: FittedOptics, method: Method, source: str, scanner: str | None
) -> OpticsProfile:
    return OpticsProfile(
        scanner if scanner is not None else scanner_key(slide),
        mpp,
        fitted.optics,
        fitted.frequency,
        fitted.errors,
        fitted.gain_db,
        fitted.standard_gain_db,
        method,
        source,
        datetime.now(UTC).date().isoformat(),
    )


def _advice(profile: OpticsProfile) -> tuple[str, ...]:
    """What the figures on the other part of the field say about the use of a profile."""
    if profile.gain_db is None or profile.standard_gain_db is None:
        return ()
    if profile.gain_db <= profile.standard_gain_db:
        return (
            "On the part of the field it was not fitted to it does no better than the standard lens: "
            "keep it only if pictures look better with it.",
        )
    return ()
