"""Pictures in frequencies: a cosine transform, and the lens's transfer at its frequencies."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.formation import FOCUS_FLOOR
from focusviewer.optics.psf import Optics, channel_otf


def mirrored_frequencies(shape: tuple[int, int], mpp: float) -> FloatArray:
    """Radial frequency (cycles per um) of each coefficient of :func:`to_spectrum`: float32 (H, W)."""
    fy, fx = (np.arange(side) / (2 * side * mpp) for side in shape)
    return np.asarray(np.hypot(fy[:, None], fx[None]), dtype=np.float32)


def relative_transfer(grid: FloatArray, z_um: float, optics: Optics) -> FloatArray:
    """Transfer of each colour at ``z_um``, relative to the ideal lens in focus: float32 (3, H, W)."""
    ideal = Optics(optics.na, optics.refractive_index, optics.wavelengths_um)
    rows = [
        channel_otf(grid, z_um, optics, colour) / np.maximum(channel_otf(grid, 0.0, ideal, colour), FOCUS_FLOOR)
        for colour in range(3)
    ]
    return np.clip(np.stack(rows), -1.0, 1.0)


def to_spectrum(values: FloatArray) -> FloatArray:
    """Cosine transform of each colour: float32 (H, W, 3) to float32 (3, H, W).

    It takes the picture to be mirrored at its edges without end. A Fourier transform of a picture that is mirrored
    only a little meets itself in a step, which the inverse of a strong blur spreads over all of it.
    """
    import scipy.fft

    channels = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    return np.asarray(scipy.fft.dctn(channels, axes=(1, 2), norm="ortho"), dtype=np.float32)


def from_spectrum(spectrum: FloatArray) -> FloatArray:
    """Undo :func:`to_spectrum`: float32 (3, H, W) to float32 (H, W, 3)."""
    import scipy.fft

    channels = scipy.fft.idctn(spectrum, axes=(1, 2), norm="ortho")
    return np.ascontiguousarray(np.moveaxis(channels, 0, -1), dtype=np.float32)
