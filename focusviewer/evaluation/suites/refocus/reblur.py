"""Re-blur consistency: a refocused image, blurred again by the known optics, must give the scan back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.metrics.similarity import psnr
from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus.fast.operators import SCANNER


def reblur_consistency(
    restored: RGB, scanned: RGB, z_um: float | npt.NDArray[np.floating], mpp: float, optics: Optics = SCANNER
) -> float:
    """PSNR in dB between the scan and the restored image blurred again.

    It needs no truth: detail that was made up, and would have shown in the scan, lowers it. It is bounded by the
    scan's noise, and says nothing about detail that the optics do not pass.

    Parameters
    ----------
    restored, scanned : uint8 (H, W, 3)
        The refocused image and what it was made from.
    z_um : float or float (H, W)
        How far from focus the scan was, um: known in simulation, else the engine's own estimate.
    mpp : float
        Pixel size, um.
    optics : Optics
        The optical system; the scanner that the refocusing engines assume when not given.
    """
    light = np.asarray(restored, np.float32) / np.float32(255)
    distance = np.abs(np.asarray(z_um, np.float32))
    if distance.ndim == 0:
        again = _blurred(light, float(distance), mpp, optics)
    else:
        again = _blurred_by_map(light, distance, mpp, optics)
    return psnr(again, np.asarray(scanned, np.float32) / 255)


def _blurred(light: npt.NDArray[np.float32], z_um: float, mpp: float, optics: Optics) -> npt.NDArray[np.float32]:
    return defocus_image(light, z_um, mpp, optics) if z_um else light


def _blurred_by_map(
    light: npt.NDArray[np.float32], z_um: npt.NDArray[np.float32], mpp: float, optics: Optics, step_um: float = 0.5
) -> npt.NDArray[np.float32]:
    """Blur place by place: between the nearest two of evenly spaced distances, mixed by how near they are."""
    position = z_um / step_um
    result = np.zeros_like(light)
    for index in range(int(position.max()) + 2):
        share = np.clip(1 - np.abs(position - index), 0, 1)
        if share.any():
            result += share[..., None] * _blurred(light, index * step_um, mpp, optics)
    return result
