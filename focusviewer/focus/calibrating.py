"""Calibrating a model for one scanner: from a focal stack of it, or from regions of known focus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.core.geometry import Box
from focusviewer.focus.base import FocusMap, FocusModel
from focusviewer.focus.calibration.curve import Calibration, Curve, fit_curve, working_mpp
from focusviewer.focus.calibration.store import scanner_key, shipped_calibrations
from focusviewer.focus.mapping.engine import map_slide
from focusviewer.slides import Slide, stepped_planes

OnShare = Callable[[float], None]

LEAST_WINDOWS = 12
"""Windows of tissue below which nothing can be said."""


@dataclass(frozen=True)
class Mark:
    """A region, in level-0 pixels, and its distance from focus."""

    x: int
    y: int
    width: int
    height: int
    um: float = 0.0

    @property
    def box(self) -> Box:
        """x, y, width, height."""
        return self.x, self.y, self.width, self.height


def calibrate_stack(
    slide: Slide,
    model: FocusModel,
    *,
    reference: int | None = None,
    step_um: float | None = None,
    scanner: str | None = None,
    on_progress: OnShare | None = None,
    cancel: threading.Event | None = None,
) -> tuple[Calibration, int]:
    """Fit a calibration to a focal stack.

    Parameters
    ----------
    reference : int, optional
        Plane in focus; by default the one that the model finds sharpest.
    step_um : float, optional
        Distance of the planes, where the file does not say it.
    scanner : str, optional
        Key to store it under; the stack's own by default.

    Returns
    -------
    The calibration, and the plane taken for the one in focus.

    Raises
    ------
    UserError
        If this is no stack of known steps, has too little tissue, or the scores do not rise with defocus.
    """
    planes_um = _positions(slide, step_um)
    maps = []
    for plane in range(len(planes_um)):
        maps.append(map_slide(slide, model, plane=plane, cancel=cancel))
        if on_progress is not None:
            on_progress((plane + 1) / len(planes_um))
    best = _sharpest(maps) if reference is None else reference
    scores = [found.blur[found.tissue] for found in maps]
    if scores[best].size < LEAST_WINDOWS:
        raise UserError(
            f"Cannot calibrate with {slide.name}",
            f"only {scores[best].size} windows of tissue can be judged",
            "Use a stack with more tissue.",
        )
    distances = [np.full(part.size, abs(z - planes_um[best])) for part, z in zip(scores, planes_um, strict=True)]
    curve = fit_curve(np.concatenate(scores), np.concatenate(distances))
    key = scanner if scanner is not None else scanner_key(slide)
    source = f"stack {slide.name}, {len(planes_um)} planes"
    working = working_mpp(model, slide.mpp)
    return Calibration(model.name, model.version, key, working, curve, source), best


def calibrate_marks(
    slide: Slide,
    model: FocusModel,
    marks: Sequence[Mark],
    *,
    plane: int = 0,
    scanner: str | None = None,
    cancel: threading.Event | None = None,
) -> Calibration:
    """Fit a calibration to regions of known focus.

    Regions in focus alone move the shipped curve of the model, so that they read 0; with others a curve of its own
    is fitted.

    Raises
    ------
    UserError
        If the regions hold too little tissue, or there is no curve to move.
    """
    scores, distances = [], []
    for mark in marks:
        found = map_slide(slide, model, region=mark.box, plane=plane, cancel=cancel)
        values = found.blur[found.tissue]
        scores.append(values)
        distances.append(np.full(values.size, mark.um))
    score, distance = np.concatenate(scores), np.concatenate(distances)
    if score.size < LEAST_WINDOWS:
        raise UserError(
            f"Cannot calibrate with {slide.name}",
            f"the regions hold {score.size} windows of tissue that can be judged",
            f"Mark more: {LEAST_WINDOWS} windows or more.",
        )
    key = scanner if scanner is not None else scanner_key(slide)
    working = working_mpp(model, slide.mpp)
    curve = fit_curve(score, distance) if (distance > 0).any() else _moved(model, working, float(np.median(score)))
    return Calibration(model.name, model.version, key, working, curve, f"{len(marks)} regions of {slide.name}")


def _moved(model: FocusModel, working: float | None, in_focus: float) -> Curve:
    for known in shipped_calibrations():
        if known.holds_for(model.name, model.version, "", working):
            return known.curve.moved(in_focus)
    raise UserError(
        f"Regions in focus are not enough to calibrate {model.name}",
        "there is no shipped curve of it for this scale",
        "Mark regions out of focus as well, or give a focal stack.",
    )


def _positions(slide: Slide, step_um: float | None) -> tuple[float, ...]:
    count = len(slide.planes_um)
    if count < 3:
        raise UserError(
            f"{slide.name} is no focal stack to calibrate with",
            f"it has {count} plane{'s' if count > 1 else ''}",
            "Give a stack of 3 planes or more, or mark regions.",
        )
    if step_um is not None:
        return stepped_planes(slide.info, step_um)
    if not slide.info.z_step_known:
        raise UserError(
            f"{slide.name} does not state the distance of its planes", "", "State it, in um, like --step 0.5."
        )
    return slide.planes_um


def _sharpest(maps: Sequence[FocusMap]) -> int:
    """The plane whose tissue scores lowest, counting only windows that have a score in every plane."""
    everywhere = np.logical_and.reduce([found.tissue for found in maps])
    if not everywhere.any():
        return int(np.argmin([float(np.median(found.blur[found.tissue])) if found.tissue.any() else np.inf
                              for found in maps]))  # fmt: skip
    return int(np.argmin([float(np.median(found.blur[everywhere])) for found in maps]))
