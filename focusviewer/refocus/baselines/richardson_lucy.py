"""Richardson-Lucy deconvolution (Richardson 1972, Lucy 1974): the likeliest light for photon noise, never negative."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.optics.psf import Optics
from focusviewer.refocus.baselines.physical import OPTICS, PhysicalBaseline
from focusviewer.refocus.baselines.spectra import from_spectrum, mirrored_frequencies, relative_transfer, to_spectrum
from focusviewer.refocus.baselines.views import to_rgb

ITERATIONS = 15
"""Few, because noise grows with every one."""

_LEAST = 1e-3


def richardson_lucy(
    image: RGB, optics: Optics, z_um: float, mpp: float, iterations: int = ITERATIONS, wanted_um: float = 0.0
) -> RGB:
    """Restore light that is ``z_um`` out of focus of known optics; then blur it to ``wanted_um`` where that is not 0.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    mpp : float
        Pixel size, um.

    Returns
    -------
    uint8 (H, W, 3)
    """
    light = image.astype(np.float32) / np.float32(255)
    grid = mirrored_frequencies(image.shape[:2], mpp)
    transfer = relative_transfer(grid, z_um, optics)
    sharp = np.maximum(light, np.float32(_LEAST))
    for _ in range(iterations):
        ratio = np.asarray(light / np.maximum(_through(sharp, transfer), _LEAST), dtype=np.float32)
        # The spot is symmetric, so it is its own transpose. Its slightly negative rims may not turn light negative.
        sharp *= np.clip(_through(ratio, transfer), 0.2, 5.0)
    if wanted_um:
        sharp = _through(sharp, relative_transfer(grid, wanted_um, optics))
    return to_rgb(sharp)


def _through(light: FloatArray, transfer: FloatArray) -> FloatArray:
    return from_spectrum(to_spectrum(light) * transfer)


class RichardsonLucy(PhysicalBaseline):
    """Richardson-Lucy at the estimated distance, then the known blur to what is wanted."""

    name = "richardson-lucy"

    def _refocus(self, image: RGB, mpp: float, blur_um: float, wanted_um: float) -> RGB:
        iterations = ITERATIONS if wanted_um < blur_um else 0
        away = wanted_um if iterations else float(np.sqrt(max(wanted_um**2 - blur_um**2, 0)))
        return richardson_lucy(image, OPTICS, blur_um, mpp, iterations, away)
