"""Baselines without training: one operator for each depth of the tissue, mixed by where it is thought to lie."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.optics.psf import Optics
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.baselines.views import Baseline, nearest_plane

OPTICS = Optics(na=0.7)
"""What is taken for the scanner's optics."""

_STEP_UM = 0.25


class PhysicalBaseline(Baseline):
    """Works on the plane nearest to the target, depth by depth, with a uniform operator each."""

    def _draw(self, encoded: Encoded, target: FloatMap) -> RGB:
        index = nearest_plane(encoded, target)
        image, z_um = encoded.images[index], encoded.planes_um[index]
        depth: FloatMap = encoded.state
        total = np.zeros((*encoded.shape, 3), np.float32)
        for middle, share in _by_depth(depth):
            wanted = float(np.average(np.abs(target - depth), weights=share))
            view = self._refocus(image, encoded.mpp, abs(middle - z_um), wanted)
            total += share[..., None] * view
        return np.asarray(np.clip(total, 0, 255) + 0.5, dtype=np.uint8)

    @abstractmethod
    def _refocus(self, image: RGB, mpp: float, blur_um: float, wanted_um: float) -> RGB:
        """The whole view from ``blur_um`` out of focus to ``wanted_um`` out of focus, um both: uint8 (H, W, 3)."""


def _by_depth(depth: FloatMap) -> list[tuple[float, FloatMap]]:
    """Depths, and how much each place belongs to them: linear between steps, exact where all lies at one depth."""
    low, high = float(depth.min()), float(depth.max())
    if high - low < _STEP_UM / 2:
        return [((low + high) / 2, np.ones_like(depth))]
    middles = np.linspace(low, high, max(2, round((high - low) / _STEP_UM) + 1))
    step = middles[1] - middles[0]
    shares = [np.clip(1 - np.abs(depth - middle) / step, 0, 1).astype(np.float32) for middle in middles]
    return [(float(middle), share) for middle, share in zip(middles, shares, strict=True) if share.any()]
