"""What all baselines share: they take in a view, estimate where the tissue lies, and hand back acquired planes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser, full_map
from focusviewer.refocus.blur_map import blur_map
from focusviewer.refocus.depth_search import best_depth

_DEPTH_STEP_UM = 0.125


class Baseline(Refocuser):
    """A method to compare engines with; subclasses say what lies at a target that is no acquired plane.

    The state of an encoded view is its depth map: where the tissue lies on the focus axis, float32 (H, W), um.
    """

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        blurs = focus_maps if focus_maps is not None else [blur_map(image, mpp) for image in images]
        depth = depth_map(blurs, planes_um)
        height, width = images[0].shape[:2]
        return Encoded((height, width), mpp, planes_um, depth - np.float32(planes_um[0]), depth)

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        return self._draw(encoded, full_map(target_um, encoded.shape))

    @abstractmethod
    def _draw(self, encoded: Encoded, target: FloatMap) -> RGB:
        """The view at a target map that is no acquired plane: uint8 (H, W, 3)."""


def nearest_plane(encoded: Encoded, target: FloatMap) -> int:
    """Index of the plane nearest to most of a target map."""
    return int(np.argmin(np.abs(np.asarray(encoded.planes_um) - float(np.median(target)))))


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
    return best_depth(blurs, planes_um, depths.tolist(), _squared_error)


def _squared_error(expected_um: float, blur: FloatMap) -> FloatMap:
    return np.asarray(np.square(np.float32(expected_um) - blur))


def to_rgb(light: npt.NDArray[np.floating]) -> RGB:
    """Light 0..1 to pixels."""
    return np.asarray(np.clip(light, 0, 1) * 255 + 0.5, dtype=np.uint8)
