"""Distance from focus of each place of a view by a focus model, for engines that are given no focus map."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.focus.base import LEVEL_UM, FocusModel, ScoreGrid
from focusviewer.refocus.base import MAX_Z_UM

BLUR_MODEL = "focuslitenn-10"
"""The focus model that estimates distances."""


def blur_model() -> FocusModel:
    """The model that estimates distances, built once."""
    return _model(BLUR_MODEL)


def view_blur_um(image: RGB, mpp: float, name: str = BLUR_MODEL) -> float:
    """How far a view is from focus by one reading of a focus model, with its shipped calibration, um."""
    model = _model(name)
    score = np.full((1, 1), model.score(image, mpp), np.float32)
    return float(_microns(score, model, mpp * model.scale_for(mpp))[0, 0])


@lru_cache(maxsize=4)
def _model(name: str) -> FocusModel:
    from focusviewer.focus.registry import get_model

    return get_model(name)


def blur_map(image: RGB, mpp: float) -> FloatMap:
    """How far each place is from focus by FocusLiteNN over its windows, with its shipped calibration, um: (H, W)."""
    model = blur_model()
    scale = model.scale_for(mpp)
    scaled = image
    if scale != 1.0:
        from focusviewer.focus.resample import resample

        scaled = resample(image, scale)
    pads = [max(0, model.window_px - side) for side in scaled.shape[:2]]
    before = [pad // 2 for pad in pads]
    widths = [(low, pad - low) for low, pad in zip(before, pads, strict=True)]
    grid = model.score_windows(np.pad(scaled, (*widths, (0, 0)), mode="symmetric"), model.model_mpp(mpp))
    return _spread(_microns(grid.scores, model, mpp * scale), grid, before, scale, image.shape[:2])


def _microns(scores: FloatMap, model: FocusModel, working_mpp: float) -> FloatMap:
    from focusviewer.focus.calibration.store import shipped_calibrations

    for calibration in shipped_calibrations():
        if calibration.holds_for(model.name, model.version, "", working_mpp):
            um = calibration.curve.read(scores)
            break
    else:
        um = scores.astype(np.float64) * LEVEL_UM
    return np.clip(um, 0, MAX_Z_UM).astype(np.float32)


def _spread(um: FloatMap, grid: ScoreGrid, before: list[int], scale: float, shape: tuple[int, ...]) -> FloatMap:
    """Windows to pixels, linear between their centres."""
    places = []
    for axis, side in enumerate(shape):
        centres = grid.window_px / 2 + grid.stride_px * np.arange(um.shape[axis]) - before[axis]
        places.append(np.interp((np.arange(side) + 0.5) / scale, centres, np.arange(len(centres))))
    rows = np.minimum(places[0].astype(int), max(um.shape[0] - 2, 0))
    down = (places[0] - rows)[:, None]
    full = um[rows] * (1 - down) + um[np.minimum(rows + 1, um.shape[0] - 1)] * down
    cols = np.minimum(places[1].astype(int), max(um.shape[1] - 2, 0))
    across = (places[1] - cols)[None]
    full = full[:, cols] * (1 - across) + full[:, np.minimum(cols + 1, um.shape[1] - 1)] * across
    return np.asarray(full, dtype=np.float32)
