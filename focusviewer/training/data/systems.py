"""Random scanners: optics, tone, camera; and the fast transfer functions of their defocus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.camera import Camera
from focusviewer.training.data.simulator import (
    FREQUENCIES,
    NAS,
    SPHERICAL,
    WAVELENGTHS_UM,
    WAVES_MAX,
    WAVES_STEP,
    transfer_bank,
)

BINS = 768
"""Entries of a transfer function from zero to the corner of the spectrum."""

_FOCUS_FLOOR = 0.05  # where the lens in focus passes less, a ratio to it means nothing


@dataclass(frozen=True)
class System:
    """A scanner drawn at random.

    Attributes
    ----------
    na : float
        Numerical aperture.
    spherical_waves : float
        Primary spherical aberration, waves.
    shift_um : (red, green, blue)
        Axial colour, um.
    as_density : bool
        Whether optical densities spread, rather than light.
    camera : Camera
        Its tone curve is also how stored pixels of real patches are taken back to light.
    """

    na: float
    spherical_waves: float
    shift_um: tuple[float, float, float]
    as_density: bool
    camera: Camera


def draw_system(rng: np.random.Generator, na_range: tuple[float, float]) -> System:
    """Draw a scanner.

    Wide on purpose: on real plane pairs, networks trained on one fixed system did not transfer, and changed sharp
    pictures. A measured 40x scanner had white noise of .008; half the draws lie below .005.
    """
    red, blue = rng.normal(0.0, 0.25, 2)
    camera = Camera(
        noise=float(rng.uniform() ** 1.5 * 0.014),
        noise_correlation_px=0.6 if rng.random() < 0.3 else 0.0,
        gamma=float(np.exp(rng.uniform(-0.4, 0.75))),
        sharpening=float(rng.uniform(0.1, 0.9)) if rng.random() < 0.3 else 0.0,
        jpeg_quality=int(rng.integers(65, 96)) if rng.random() < 0.55 else None,
        bayer=bool(rng.random() < 0.3),
        monochrome=bool(rng.random() < 0.15),
    )
    spherical = 0.0 if rng.random() < 0.55 else float(rng.uniform(SPHERICAL[0], SPHERICAL[-1]))
    na = float(rng.uniform(*na_range))
    return System(na, spherical, (float(red), 0.0, float(blue)), bool(rng.random() < 0.35), camera)


class Transfer:
    """Transfer functions of one system at any defocus, by interpolation in the table behind the simulator.

    Parameters
    ----------
    system : System
        The scanner.
    mpp : float
        Pixel size, um.
    through_lens : bool
        Whether what is imaged carries the blur of the lens in focus already.
    """

    def __init__(self, system: System, mpp: float, through_lens: bool) -> None:
        bank = _bank()
        row, weight = _place((system.na - NAS[0]) / (NAS[1] - NAS[0]), len(NAS))
        near, far = bank[row], bank[row + 1]
        mixed = near + weight * (far - near)
        self._focus = mixed[1, mixed.shape[1] // 2]
        column, weight = _place((system.spherical_waves - SPHERICAL[0]) / (SPHERICAL[1] - SPHERICAL[0]), len(SPHERICAL))
        self._table = mixed[column] + np.float32(weight) * (mixed[column + 1] - mixed[column])
        self._system, self._through_lens = system, through_lens
        frequency = np.linspace(0.0, np.sqrt(0.5) / mpp, BINS, dtype=np.float32)
        self._grids = [_frequency_places(frequency, 2 * system.na / wavelength) for wavelength in WAVELENGTHS_UM]

    def at(self, distance_um: npt.NDArray[np.floating], channel: int) -> FloatArray:
        """Transfer at distances (K,) from focus: float32 (K, BINS)."""
        waves = (distance_um - self._system.shift_um[channel]) / WAVELENGTHS_UM[channel]
        position = np.clip((waves + WAVES_MAX) / WAVES_STEP, 0, len(self._table) - 1.001)
        below = position.astype(np.intp)
        weight = (position - below).astype(np.float32)[:, None]
        radial = self._table[below] + weight * (self._table[below + 1] - self._table[below])
        if self._through_lens:
            radial = np.clip(radial / np.maximum(self._focus, _FOCUS_FLOOR), -1.0, 1.0)
        index, part = self._grids[channel]
        return np.asarray(radial[:, index] + part * (radial[:, index + 1] - radial[:, index]), dtype=np.float32)


@lru_cache(maxsize=1)
def _bank() -> FloatArray:
    return np.ascontiguousarray(transfer_bank(), dtype=np.float32)


def _place(position: float, count: int) -> tuple[int, np.float32]:
    """Entry below a fractional position in a table, and the weight of the one above."""
    below = int(np.clip(np.floor(position), 0, count - 2))
    return below, np.float32(np.clip(position - below, 0.0, 1.0))


def _frequency_places(frequency: FloatArray, cutoff: float) -> tuple[npt.NDArray[np.intp], FloatArray]:
    position = np.minimum(frequency / cutoff, 1.0) * (FREQUENCIES - 1)
    index = np.minimum(position.astype(np.intp), FREQUENCIES - 2)
    return index, (position - index).astype(np.float32)
