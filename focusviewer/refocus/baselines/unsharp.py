"""Unsharp masking: what every picture viewer offers, with its radius taken from the estimated blur."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.refocus.baselines.physical import OPTICS, PhysicalBaseline
from focusviewer.refocus.baselines.views import to_rgb

AMOUNT = 1.0
_SPOT = 0.4  # sigma of a defocused spot, as a part of its geometric radius


class Unsharp(PhysicalBaseline):
    """Adds what a Gaussian of the blur's size takes away; away from focus it blurs by that Gaussian."""

    name = "unsharp"

    def _refocus(self, image: RGB, mpp: float, blur_um: float, wanted_um: float) -> RGB:
        from scipy.ndimage import gaussian_filter

        change = blur_um - wanted_um
        radius = abs(change) * OPTICS.na / float(np.sqrt(1 - OPTICS.na**2)) / mpp
        light = image.astype(np.float32) / np.float32(255)
        soft = gaussian_filter(light, (_SPOT * radius, _SPOT * radius, 0), mode="mirror")
        return to_rgb(light + AMOUNT * (light - soft) if change > 0 else soft)
