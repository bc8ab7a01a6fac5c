"""What all baselines share: they take in a view, guess where the tissue lies, and hand back acquired planes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser, acquired_plane, check_view, full_map
from focusviewer.refocus.blur_map import blur_map

_DEPTH_STEP_UM = 0.125


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
        acquired = acquired_plane(encoded.planes_um, float(target_um)) if np.ndim(target_um) == 0 else None
        if acquired is not None:
            return np.array(encoded.state.images[acquired])
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
