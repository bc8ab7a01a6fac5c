"""Fast imaging of one block of a thick section at many depths of focus."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.formation import FOCUS_FLOOR, Domain, Section, ideal_optics
from focusviewer.optics.psf import Optics, channel_otf

_BINS = 1536
"""Entries of a transfer function over the frequencies of a block."""


_SCALE = np.float32(-np.log(10.0))


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
    through_lens : bool
        Whether the densities carry the lens's blur in focus already.
    domain : "intensity" or "density"
        What the lens blurs; in "density" the blurred densities of the slabs add instead of the losses.
    """

    def __init__(
        self,
        density: FloatArray,
        z_um: npt.NDArray[np.floating],
        mpp: float,
        optics: Optics | None = None,
        through_lens: bool = False,
        domain: Domain = "intensity",
    ) -> None:
        import scipy.fft

        self._shape = (density.shape[2], density.shape[3])
        self._z_um, self._mpp, self._optics, self._through_lens = z_um, mpp, optics or Optics(), through_lens
        self._depths_um, self._domain = self._optics.depths_um(z_um), domain
        layers = density.copy() if domain == "density" else _losses(density)
        self._spectra = scipy.fft.rfft2(layers, axes=(2, 3), overwrite_x=True)
        self._bins = _frequency_bins(self._shape)

    @classmethod
    def of(cls, section: Section, optics: Optics | None = None) -> SlabImager:
        """The imager of a section (which is taken as periodic)."""
        density = np.ascontiguousarray(np.moveaxis(section.density, -1, 1))
        return cls(density, section.z_um, section.mpp, optics, section.through_lens)

    def image(self, z_um: float) -> FloatArray:
        """Transmitted light with the focal plane at ``z_um``: float32 (3, H, W), about 0..1."""
        import scipy.fft

        light = np.empty((3, *self._shape), np.float32)
        for channel in range(3):
            total: npt.NDArray[np.complex64] | None = None
            for slab, depth, below_um in zip(self._spectra, self._z_um, self._depths_um, strict=True):
                transfer = self._transfer(z_um - float(depth), channel, float(below_um))
                part = slab[channel] * transfer
                total = part if total is None else np.add(total, part, out=total)
            lost = scipy.fft.irfft2(total, s=self._shape, overwrite_x=True)
            if self._domain == "density":
                np.exp(_SCALE * lost, out=light[channel])
            else:
                np.subtract(np.float32(1.0), lost, out=light[channel])
        return light

    def _transfer(self, distance_um: float, channel: int, depth_um: float) -> FloatArray:
        distance = round(distance_um, 3)
        table = _table(distance, channel, self._optics, depth_um, self._mpp, self._through_lens)
        return np.asarray(table.take(self._bins), dtype=np.float32)


def _losses(density: FloatArray) -> FloatArray:
    """Light that each slab takes away from what reaches it: float32 (D, 3, H, W)."""
    above = np.ones(density.shape[1:], np.float32)
    losses = np.empty_like(density)
    column = np.zeros(density.shape[1:], np.float32)
    for k, slab in enumerate(density):
        column += slab
        below = np.exp(column * _SCALE)
        np.subtract(above, below, out=losses[k])
        above = below
    return losses


_table_lock = threading.Lock()


def _table(z_um: float, channel: int, optics: Optics, depth_um: float, mpp: float, through_lens: bool) -> FloatArray:
    # A lock, so that two threads do not both compute an entry that the cache is about to hold.
    with _table_lock:
        return _cached_table(z_um, channel, optics, depth_um, mpp, through_lens)


@lru_cache(maxsize=1024)
def _cached_table(
    z_um: float, channel: int, optics: Optics, depth_um: float, mpp: float, through_lens: bool
) -> FloatArray:
    """Transfer function on an even grid of frequencies up to the corner of the spectrum: float32 (_BINS,)."""
    frequency = np.linspace(0.0, np.sqrt(0.5) / mpp, _BINS)
    table = channel_otf(frequency, z_um, optics, channel, depth_um)
    if through_lens:
        table = np.clip(
            table / np.maximum(channel_otf(frequency, 0.0, ideal_optics(optics), channel), FOCUS_FLOOR), -1, 1
        )
    return np.asarray(table, dtype=np.float32)


@lru_cache(maxsize=4)
def _frequency_bins(shape: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Table entry of each coefficient of ``rfft2``: intp (H, W // 2 + 1)."""
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    return np.asarray(np.round(radius / np.sqrt(0.5) * (_BINS - 1)), dtype=np.intp)


def blend_depths(imager: SlabImager, z_um: FloatArray, step_um: float = 0.25) -> FloatArray:
    """Image a block whose focus differs from pixel to pixel.

    Parameters
    ----------
    imager : SlabImager
        The block.
    z_um : float32 (H, W)
        Focal plane at each pixel.
    step_um : float
        Spacing of the images in depth; pixels between two of them are a linear mix of both.

    Returns
    -------
    float32 (3, H, W)
    """
    low, high = float(z_um.min()), float(z_um.max())
    if high - low < 0.02 * step_um:
        return imager.image(round((low + high) / 2, 2))
    rungs = _depths_to_image(z_um, step_um)
    result = np.zeros((3, *z_um.shape), np.float32)
    for index, rung in enumerate(rungs):
        weight = np.ones_like(z_um)
        if index > 0:
            np.minimum(weight, (z_um - rungs[index - 1]) / np.float32(rung - rungs[index - 1]), out=weight)
        if index < len(rungs) - 1:
            np.minimum(weight, (rungs[index + 1] - z_um) / np.float32(rungs[index + 1] - rung), out=weight)
        np.maximum(weight, 0, out=weight)
        result += weight * imager.image(rung)
    return result


def _depths_to_image(z_um: FloatArray, step_um: float) -> list[float]:
    """Depths to image: both ends and what enough pixels need.

    A sharp border between two depths crosses those between in a few pixels, narrower than their blur: there the two
    sides are mixed directly.
    """
    low = int(np.floor(float(z_um.min()) / step_um + 0.02))
    high = int(np.ceil(float(z_um.max()) / step_um - 0.02))
    bins = np.bincount(np.round(z_um[::4, ::4].ravel() / step_um).astype(int) - low + 1, minlength=high - low + 3)
    enough = 0.025 * bins.sum()

    def wanted(k: int) -> bool:
        far_off = abs(k * step_um) > 2.0 and k % 2 == 1  # a wide spot changes slowly: half of the depths are enough
        return bool(bins[k - low + 1] > enough) and not far_off

    return [k * step_um for k in range(low, high + 1) if k in (low, high) or wanted(k)]
