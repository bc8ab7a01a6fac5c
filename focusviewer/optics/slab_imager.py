"""Fast imaging of one block of a thick section at many depths of focus."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.optics.psf import Optics, radial_otf

FloatArray = npt.NDArray[np.float32]

_BINS = 1536
"""Entries of a transfer function over the frequencies of a block."""


class SlabImager:
    """Images of a block of a section, which share the spectra of its slabs.

    The light that slab ``k`` takes away, ``T[k-1] - T[k]`` with ``T`` the transmission of the slabs down to ``k``, is
    convolved with the point spread function at the slab's distance from focus, and the losses add:
    ``I(z) = 1 - sum_k h(z - z_k) * (T[k-1] - T[k])``. In focus this is Beer-Lambert exactly; it differs from
    :func:`~focusviewer.optics.formation.image_section` by products of blurred losses, and costs one inverse
    transform per channel and depth.

    Parameters
    ----------
    density : float32 (D, 3, H, W)
        Optical density of the slabs. The block is taken as periodic: give it a margin and cut that off.
    z_um : float (D,)
        Depth of the slabs.
    mpp : float
        Pixel size, um.
    optics : Optics
        The microscope.
    """

    def __init__(
        self, density: FloatArray, z_um: npt.NDArray[np.floating], mpp: float, optics: Optics | None = None
    ) -> None:
        import scipy.fft

        self._shape = (density.shape[2], density.shape[3])
        self._z_um, self._mpp, self._optics = z_um, mpp, optics or Optics()
        scale = np.float32(-np.log(10.0))
        above = np.ones(density.shape[1:], np.float32)
        losses = np.empty_like(density)
        column = np.zeros(density.shape[1:], np.float32)
        for k, slab in enumerate(density):
            column += slab
            below = np.exp(column * scale)
            np.subtract(above, below, out=losses[k])
            above = below
        self._spectra = scipy.fft.rfft2(losses, axes=(2, 3), overwrite_x=True)
        self._bins = _frequency_bins(self._shape)

    def image(self, z_um: float) -> FloatArray:
        """Transmitted light with the focal plane at ``z_um``: float32 (3, H, W), about 0..1."""
        import scipy.fft

        light = np.empty((3, *self._shape), np.float32)
        for channel in range(3):
            total: npt.NDArray[np.complex64] | None = None
            for slab, depth in zip(self._spectra, self._z_um, strict=True):
                transfer = self._transfer(z_um - float(depth), channel)
                part = slab[channel] * transfer
                total = part if total is None else np.add(total, part, out=total)
            lost = scipy.fft.irfft2(total, s=self._shape, overwrite_x=True)
            np.subtract(np.float32(1.0), lost, out=light[channel])
        return light

    def _transfer(self, distance_um: float, channel: int) -> FloatArray:
        o = self._optics
        table = _table(
            round(distance_um - o.chromatic_shift_um[channel], 3),
            o.na,
            o.wavelengths_um[channel],
            o.refractive_index,
            o.spherical_waves,
            self._mpp,
        )
        return np.asarray(table[self._bins], dtype=np.float32)


_table_lock = threading.Lock()


def _table(z_um: float, na: float, wavelength_um: float, index: float, spherical: float, mpp: float) -> FloatArray:
    # A lock, so that two threads do not both compute an entry that the cache is about to hold.
    with _table_lock:
        return _cached_table(z_um, na, wavelength_um, index, spherical, mpp)


@lru_cache(maxsize=1024)
def _cached_table(
    z_um: float, na: float, wavelength_um: float, index: float, spherical: float, mpp: float
) -> FloatArray:
    """Transfer function on an even grid of frequencies up to the corner of the spectrum: float32 (_BINS,)."""
    frequency = np.linspace(0.0, np.sqrt(0.5) / mpp, _BINS)
    return radial_otf(frequency, z_um, na, wavelength_um, index, spherical)


@lru_cache(maxsize=4)
def _frequency_bins(shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Table entry of each coefficient of ``rfft2``: int32 (H, W // 2 + 1)."""
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    return np.asarray(np.round(radius / np.sqrt(0.5) * (_BINS - 1)), dtype=np.int32)


def blend_depths(imager: SlabImager, z_um: FloatArray, step_um: float = 0.25) -> FloatArray:
    """Image a block whose focus differs from pixel to pixel.

    Parameters
    ----------
    imager : SlabImager
        The block.
    z_um : float32 (H, W)
        Focal plane at each pixel.
    step_um : float
        Spacing of the ladder of images; pixels between two rungs are a linear mix of both.

    Returns
    -------
    float32 (3, H, W)
    """
    position = z_um / np.float32(step_um)
    low, high = float(position.min()), float(position.max())
    if high - low < 0.02:
        return imager.image(round((low + high) / 2 * step_um, 2))
    result = np.zeros((3, *z_um.shape), np.float32)
    for rung in range(int(np.floor(low)), int(np.ceil(high)) + 1):
        weight = np.clip(1 - np.abs(position - np.float32(rung)), 0, None)
        if weight.max() > 1e-3:
            result += weight * imager.image(rung * step_um)
    return result
