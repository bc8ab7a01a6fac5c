"""What all baselines share: they take in a view, guess where the tissue lies, and hand back acquired planes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.errors import UserError
from focusviewer.focus.base import LEVEL_UM, FloatMap, FocusModel, ScoreGrid
from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser, check_view
from focusviewer.slides.base import RGB

JUDGE = "focuslitenn-10"
"""The focus model that guesses distances."""

_DEPTH_STEP_UM = 0.125
_SAME_UM = 1e-6


@dataclass(frozen=True)
class Planes:
    """The planes of a view, lowest first."""

    images: tuple[RGB, ...]
    depth_um: FloatMap  # (H, W): where the tissue lies on the focus axis


class Baseline(Refocuser):
    """A method to compare engines with; subclasses say what lies at a target that is no acquired plane."""

    mpps: tuple[float, float] = (0.15, 0.65)

    def encode(
        self,
        images: Sequence[RGB],
        mpp: float,
        planes_um: Sequence[float] = (0.0,),
        focus_maps: Sequence[FloatMap] | None = None,
    ) -> Encoded:
        """Study a view once; see :meth:`Refocuser.encode`.

        Raises
        ------
        UserError
            If the method does not work at this pixel size, or the planes differ in number or size.
        """
        check_view(self.name, self.mpps, images, mpp, planes_um, focus_maps)
        order = np.argsort(planes_um, kind="stable")
        views = tuple(images[i] for i in order)
        zs = tuple(float(planes_um[i]) for i in order)
        blurs = [focus_maps[i] for i in order] if focus_maps is not None else [blur_map(view, mpp) for view in views]
        depth = depth_map(blurs, zs)
        return Encoded(views[0].shape[:2], mpp, zs, depth - np.float32(zs[0]), Planes(views, depth))

    def render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        """Give the view at a target focus; see :meth:`Refocuser.render`."""
        if np.ndim(target_um) == 0:
            for z_um, image in zip(encoded.planes_um, encoded.state.images, strict=True):
                if abs(z_um - float(target_um)) < _SAME_UM:
                    return np.array(image)
        target = np.asarray(target_um, np.float32)
        if target.ndim and target.shape != encoded.shape:
            raise UserError(
                "The target map does not fit", f"it is {target.shape}, the view {encoded.shape}", "Use equal sizes."
            )
        return self._draw(encoded, np.broadcast_to(target, encoded.shape))

    @abstractmethod
    def _draw(self, encoded: Encoded, target: FloatMap) -> RGB:
        """The view at a target map that is no acquired plane: uint8 (H, W, 3)."""


def nearest_plane(encoded: Encoded, target: FloatMap) -> int:
    """Index of the plane nearest to most of a target map."""
    return int(np.argmin(np.abs(np.asarray(encoded.planes_um) - float(np.median(target)))))


@lru_cache(maxsize=1)
def _judge() -> FocusModel:
    from focusviewer.focus.registry import get_model

    return get_model(JUDGE)


def blur_map(image: RGB, mpp: float) -> FloatMap:
    """How far each place is from focus by FocusLiteNN over its windows, with its shipped calibration, um: (H, W)."""
    model = _judge()
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
    from focusviewer.focus.calibration_store import shipped_calibrations

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


def depth_map(blurs: Sequence[FloatMap], planes_um: Sequence[float]) -> FloatMap:
    """Where the tissue lies: on the positive side of one plane; of several where it fits all their blurs best.

    Parameters
    ----------
    blurs : sequence of float32 (H, W)
        Distance from focus in each plane, um.

    Returns
    -------
    float32 (H, W), um on the axis of ``planes_um``
    """
    if len(blurs) == 1:
        return np.asarray(blurs[0] + np.float32(planes_um[0]), dtype=np.float32)
    depths = np.arange(min(planes_um) - MAX_Z_UM, max(planes_um) + MAX_Z_UM + _DEPTH_STEP_UM, _DEPTH_STEP_UM)
    best = np.full(blurs[0].shape, np.inf, np.float32)
    result = np.zeros_like(best)
    for depth in depths:
        misfit = np.zeros_like(best)
        for z_um, blur in zip(planes_um, blurs, strict=True):
            misfit += np.square(np.float32(abs(z_um - depth)) - blur)
        better = misfit < best
        best[better], result[better] = misfit[better], depth
    return result


def to_rgb(light: npt.NDArray[np.floating]) -> RGB:
    """Light 0..1 to pixels."""
    return np.asarray(np.clip(light, 0, 1) * 255 + 0.5, dtype=np.uint8)
