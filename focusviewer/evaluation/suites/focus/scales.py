"""The same tissue at two pixel sizes: a calibrated model must give the same distance from focus for both."""

from __future__ import annotations

from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.evaluation.test_sets.fields import FieldSet
from focusviewer.focus.base import LEVEL_UM, FocusModel
from focusviewer.focus.calibration.curve import Curve
from focusviewer.focus.calibration.store import shipped_calibrations

RANGES_UM = ((0.0, 0.6), (0.6, 1.1), (1.1, 2.1), (2.1, 4.1))
EVERY_PLANE = 2  # neighbouring planes say the same
LEAST_UM = 0.25
"""Differences are relative to the mean of both readings, or to this where that is less: one level."""


def evaluate_scales(model: FocusModel, fields: FieldSet) -> list[dict[str, Any]]:
    """Read fields as they are and averaged in twos, each with the calibration shipped for its scale.

    Parameters
    ----------
    model : FocusModel
    fields : FieldSet
        Simulated test stacks of at least two windows of the model.

    Returns
    -------
    One row a range of true distances: the median reading in um at either scale, and the median difference relative to
    the mean of the two.

    Raises
    ------
    UserError
        If the model has no calibration at one of the scales, or the fields are too small for it.
    """
    curves = _curves(model, (fields.mpp, 2 * fields.mpp))
    if curves is None:
        raise UserError("Scales are not compared", f"no calibration of {model.name} is shipped for both", "")
    if fields.images.shape[2] // 2 < model.window_px:
        raise UserError("Scales are not compared", f"the fields are too small for {model.name}", "")
    distances, fine, coarse = [], [], []
    for stack, levels in zip(fields.images, fields.levels, strict=True):
        for plane, level in zip(stack[::EVERY_PLANE], levels[::EVERY_PLANE], strict=True):
            distances.append(abs(float(level)) * LEVEL_UM)
            fine.append(_reading_um(model, np.ascontiguousarray(plane), fields.mpp, curves[0]))
            coarse.append(_reading_um(model, averaged_in_twos(plane), 2 * fields.mpp, curves[1]))
    z_um, both = np.asarray(distances), np.stack([fine, coarse])
    rows = []
    for low, high in RANGES_UM:
        part = both[:, (z_um >= low) & (z_um < high)]
        if part.size:
            difference = np.abs(part[0] - part[1]) / np.maximum(part.mean(axis=0), LEAST_UM)
            rows.append(
                {
                    "range": f"{low:g} to {high:g}",
                    "images": part.shape[1],
                    "fine_um": float(np.median(part[0])),
                    "coarse_um": float(np.median(part[1])),
                    "difference": float(np.median(difference)),
                }
            )
    return rows


def averaged_in_twos(picture: RGB) -> RGB:
    """A picture of half the scale: uint8 (H, W, 3) to (H // 2, W // 2, 3)."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    squares = picture[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.asarray(np.rint(squares.mean(axis=(1, 3), dtype=np.float32)), dtype=np.uint8)


def _curves(model: FocusModel, scales: tuple[float, float]) -> tuple[Curve, Curve] | None:
    known = {
        round(calibration.mpp, 3): calibration.curve
        for calibration in shipped_calibrations()
        if (calibration.model, calibration.version) == (model.name, model.version) and calibration.mpp is not None
    }
    found = [known.get(round(scale, 3)) for scale in scales]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def _reading_um(model: FocusModel, picture: RGB, mpp: float, curve: Curve) -> float:
    """Median over the windows of a picture, um."""
    scores = model.score_windows(picture, mpp).scores.ravel().astype(np.float64)
    return float(np.median(curve.read(np.maximum(scores, 0) if model.absolute else scores)))
