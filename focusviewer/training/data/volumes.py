"""Fields of view in slabs, and their pictures at any focus through any random scanner, fast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.simulation.sections.lift import LiftConfig, lift_density
from focusviewer.training.data.systems import BINS, System, Transfer

STRUCTURE = 4.0
"""Median deviation of gray levels from their median, from which a crop counts as structured."""

_LN10 = np.float32(np.log(10.0))


@dataclass(frozen=True)
class Volume:
    """A field in slabs, with a margin around it for the blur to reach in from.

    Attributes
    ----------
    density : float32 (K, 3, h, w)
        Optical density of the slabs.
    z_um : float32 (K,)
        Their depths.
    through_lens : bool
        Whether the densities carry the blur of the lens in focus.
    focus_um : float
        Depth of the detail in the middle crop: the focal plane that shows most of it.
    """

    density: FloatArray
    z_um: FloatArray
    through_lens: bool
    focus_um: float


class VolumeImager:
    """Pictures of a volume through one system; its spectra are shared by all planes.

    Light lost in each slab is blurred by the slab's distance from focus and summed (or its density, where the system
    says so): see :class:`focusviewer.simulation.sections.slab_imager.SlabImager`.
    """

    def __init__(self, volume: Volume, system: System, mpp: float) -> None:
        import scipy.fft

        self._volume, self._system = volume, system
        self._shape = (volume.density.shape[2], volume.density.shape[3])
        self._transfer = Transfer(system, mpp, volume.through_lens)
        layers = volume.density if system.as_density else _losses(volume.density)
        self._spectra = scipy.fft.rfft2(layers, axes=(2, 3))
        self._bins = _bins(self._shape)

    def image(self, z_um: float, margin: int, size: int) -> FloatArray:
        """Light with the focal plane at ``z_um``, without the margin: float32 (size, size, 3)."""
        import scipy.fft

        total = np.empty((3, *self._spectra.shape[2:]), np.complex64)
        for channel in range(3):
            tables = self._transfer.at(z_um - self._volume.z_um, channel)
            np.multiply(self._spectra[0, channel], tables[0].take(self._bins), out=total[channel])
            for k in range(1, len(tables)):
                total[channel] += self._spectra[k, channel] * tables[k].take(self._bins)
        lost = scipy.fft.irfft2(total, s=self._shape, axes=(1, 2), overwrite_x=True)
        inner = lost[:, margin : margin + size, margin : margin + size]
        light = np.exp(-_LN10 * inner) if self._system.as_density else 1 - inner
        return np.ascontiguousarray(np.moveaxis(light, 0, -1), dtype=np.float32)


def _losses(density: FloatArray) -> FloatArray:
    """Light that each slab takes away from what reaches it: float32 (K, 3, h, w)."""
    left = np.exp(-_LN10 * np.cumsum(density, axis=0))
    losses = np.empty_like(density)
    losses[0] = 1 - left[0]
    np.subtract(left[:-1], left[1:], out=losses[1:])
    return losses


@lru_cache(maxsize=8)
def _bins(shape: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Table entry of each coefficient of ``rfft2``."""
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    return np.asarray(np.round(radius / np.sqrt(0.5) * (BINS - 1)), dtype=np.intp)


def frame_px(crop_px: int, max_z_um: float, mpp: float) -> int:
    """Side of a field that gives crops of ``crop_px``: with room for the blur, and a length that the FFT likes."""
    import scipy.fft

    reach = int(np.ceil(1.15 * (max_z_um + 1.0) / mpp))  # NA 0.75
    return int(scipy.fft.next_fast_len(crop_px + 2 * min(reach, crop_px // 2), real=True))


def thin_volume(light: FloatArray) -> Volume:
    """A patch as one slab: float32 (3, h, w) of light."""
    return Volume(_density(light)[None], np.zeros(1, np.float32), True, 0.0)


def lifted_volume(light: FloatArray, mpp: float, crop_px: int, rng: np.random.Generator) -> Volume:
    """A patch lifted to a section of 3 to 7.5 um."""
    thickness = float(rng.uniform(2.0, 5.0))
    config = LiftConfig(thickness, int(np.clip(round(thickness / 0.8), 3, 6)), float(rng.uniform(0.12, 0.27)))
    density, z_um = lift_density(_density(light), mpp, rng, config)
    return Volume(density, z_um, True, detail_depth(density, z_um, crop_px))


def _density(light: FloatArray) -> FloatArray:
    return np.asarray(np.log10(np.maximum(light, np.float32(1e-3))) * np.float32(-1.0), dtype=np.float32)


def detail_depth(density: FloatArray, z_um: FloatArray, crop_px: int) -> float:
    """Where in depth the detail of the middle crop is: mean depth, weighted by the energy of each slab's gradient."""
    start = (density.shape[2] - crop_px) // 2
    green = density[:, 1, start : start + crop_px, start : start + crop_px]
    energy = np.square(np.diff(green, axis=2)).mean(axis=(1, 2)) + np.square(np.diff(green, axis=1)).mean(axis=(1, 2))
    return float(np.sum(energy * z_um) / max(float(energy.sum()), 1e-12))


def cut_patch(image: RGB, side: int, crop_px: int, gamma: float, rng: np.random.Generator) -> FloatArray:
    """A random part of a patch, flipped and turned, mirrored beyond its border, as light: float32 (3, side, side).

    The middle ``crop_px`` come from inside the patch.
    """
    margin = (side - crop_px) // 2
    y, x = _structured_corner(image, crop_px, rng)
    rows, columns = (
        _mirrored(start - margin + np.arange(side), length)
        for start, length in zip((y, x), image.shape[:2], strict=True)
    )
    turned = np.rot90(image[rows[:, None], columns[None, :]], int(rng.integers(4)))
    if rng.random() < 0.5:
        turned = turned[:, ::-1]
    curve = ((np.arange(256) / 255.0) ** gamma).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(curve[turned], -1, 0))


def _structured_corner(image: RGB, crop_px: int, rng: np.random.Generator) -> tuple[int, int]:
    """Upper left corner of a crop that holds some structure: focus cannot be told from empty glass."""
    best, corner = -1.0, (0, 0)
    for _ in range(6):
        y, x = (int(rng.integers(0, length - crop_px + 1)) for length in image.shape[:2])
        found = spread(image[y : y + crop_px : 2, x : x + crop_px : 2, 1])
        if found >= STRUCTURE:
            return y, x
        if found > best:
            best, corner = found, (y, x)
    return corner


def spread(green: RGB) -> float:
    """Median deviation from the median: unlike the standard deviation, one speck on glass does not raise it."""
    return float(np.median(np.abs(green - np.float32(np.median(green)))))


def _mirrored(index: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    index = np.abs(index) % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)
