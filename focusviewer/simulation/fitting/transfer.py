"""Transfer functions fast enough to be fitted: of thin and thick sections, in incoherent and partly coherent light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import DoubleArray
from focusviewer.optics.psf import Optics
from focusviewer.optics.pupil import Pupil

_NODES, _ACROSS, _ALONG = 64, 24, 12
_CROWDED = 1.7
"""Power that crowds the nodes at low frequencies, where defocus leaves its contrast."""

_KEPT = 2048

_SLABS, _SLAB_WEIGHTS = np.polynomial.legendre.leggauss(5)
_SEEN = 0.05
"""Contrast in the sharp plane below which it holds nothing to predict from; that of ``formation.relative_otf``."""


class WeakObject:
    """Transfer of absorption and refraction for one aperture and condenser, at any defocus and wavelength.

    The functions ``A`` and ``F`` of :mod:`focusviewer.optics.transfer` by a product Gauss rule, whose points and phase
    differences are computed once: a fit asks for hundreds of defocus distances. Scalar, with spherical aberration.

    Parameters
    ----------
    na, index : float
        Aperture of the objective, refractive index where z is measured.
    condenser : float
        Aperture of the condenser as a part of the objective's, 0..1.
    """

    def __init__(self, na: float, index: float = 1.0, condenser: float = 1.0) -> None:
        self._na = na
        self._nodes = (1 + condenser) * np.linspace(0.0, 1.0, _NODES) ** _CROWDED
        x, y, weight = _lens_points(self._nodes, condenser)
        near, far = x**2 + y**2, np.minimum((x + self._nodes[:, None, None]) ** 2 + y**2, 1.0)
        defocus, bent = Pupil(na, 1.0, 1.0, index), Pupil(na, 1.0, 0.0, index, spherical_waves=1.0)
        self._turning = np.asarray(defocus.phase(far) - defocus.phase(near), dtype=np.float32)
        self._bending = np.asarray(bent.phase(far) - bent.phase(near), dtype=np.float32)
        self._weight = np.asarray(weight / weight[0].sum(), dtype=np.float32)
        self._range = np.ptp(np.where(weight > 0, self._turning, 0), axis=2).max(axis=1) / (2 * np.pi)
        self._symmetric = condenser >= 1
        # Derivatives of a fit ask for most tables again: those of the parameters that did not move.
        self._tables: dict[tuple[float, float, float], DoubleArray] = {}

    def at(
        self, frequency: DoubleArray, z_um: float, wavelength_um: float, refraction: float = 0.0, spherical: float = 0.0
    ) -> DoubleArray:
        """``A - 2 refraction F`` at frequencies in cycles per um: float64, shape of ``frequency``."""
        key = (z_um / wavelength_um, refraction, spherical)
        table = self._tables.get(key)
        if table is None:
            if len(self._tables) >= _KEPT:
                self._tables.clear()
            table = self._tables[key] = self._table(*key)
        return np.asarray(np.interp(frequency, self._nodes * (self._na / wavelength_um), table, right=0.0))

    def _table(self, waves: float, refraction: float, spherical: float) -> DoubleArray:
        """The transfer at the nodes, for a defocus in wavelengths."""
        phase = self._turning * np.float32(waves)
        if spherical:
            phase += self._bending * np.float32(spherical)
        values = np.cos(phase)
        if refraction and not self._symmetric:
            values -= np.float32(2 * refraction) * np.sin(phase)
        table = np.einsum("fyx,fyx->f", values, self._weight).astype(np.float64)
        # Beyond so many turns the rule undersamples, and the true value is next to nothing.
        return np.asarray(table * np.clip(2 - abs(waves) * self._range / 5, 0.0, 1.0))


def _lens_points(shift: DoubleArray, condenser: float) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Points and weights over the part of the source whose diffracted light enters the pupil, upper half.

    Returns
    -------
    x, y and weight, float64 (F, _ALONG, _ACROSS), on the plane of the pupil with the source in the middle.
    """
    crossing = (shift**2 + condenser**2 - 1) / np.maximum(2 * shift, 1e-9)
    height = np.sqrt(np.maximum(condenser**2 - np.maximum(crossing, 0.0) ** 2, 0.0))[:, None, None]
    nodes, weights = _gauss(_ALONG)
    # The sine takes the corner out of the lens's ends.
    y = height * np.sin(nodes * np.pi / 2)[None, :, None]
    along = height * (weights * np.cos(nodes * np.pi / 2) * np.pi / 2)[None, :, None]
    source = np.sqrt(np.maximum(condenser**2 - y**2, 0.0))
    right = np.minimum(source, np.sqrt(np.maximum(1 - y**2, 0.0)) - shift[:, None, None])
    width = np.maximum(right + source, 0.0)
    nodes, weights = _gauss(_ACROSS)
    x = -source + width * nodes[None, None, :]
    return x, np.broadcast_to(y, x.shape), along * width * weights[None, None, :]


@lru_cache(maxsize=4)
def _gauss(count: int) -> tuple[DoubleArray, DoubleArray]:
    """Nodes and weights of Gauss and Legendre on 0..1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


@lru_cache(maxsize=64)
def weak_object(na: float, index: float, condenser: float) -> WeakObject:
    """The tables of an aperture and a condenser (cached)."""
    return WeakObject(na, index, condenser)


@dataclass(frozen=True)
class PlaneTransfer:
    """How one plane of a section follows from a sharper one.

    A thick section is a stack of slabs whose structures are independent of each other. Both planes see slab ``u``
    through their own transfer functions, and the best linear prediction of the plane ``z_um`` away is

        H(f) = sum_u T(z + u) T(u) / sum_u T(u)^2,

    which is ``T(z) / T(0)`` for a thin one: the lens's blur in focus is part of the sharp plane already.

    Attributes
    ----------
    z_um : float
        From the sharp plane to the blurred one.
    thickness_um : float
        Of the section.
    optics : Optics
        Aperture, index, wavelengths, spherical aberration, condenser and refraction; and how far each colour's best
        focus lies from the sharp plane.
    """

    z_um: float
    thickness_um: float
    optics: Optics

    def at(self, frequency: DoubleArray, channels: int = 3) -> DoubleArray:
        """Transfer from plane to plane: float64 (channels, F); a single channel is the green one."""
        return np.stack([self.colour(frequency, channel) for channel in ((0, 1, 2) if channels == 3 else (1,))])

    def colour(self, frequency: DoubleArray, channel: int) -> DoubleArray:
        """Transfer from plane to plane in one colour: float64 (F,)."""
        o = self.optics
        lens = weak_object(o.na, o.refractive_index, min(o.condenser, 1.0))
        wavelength, shift = o.wavelengths_um[channel], o.chromatic_shift_um[channel]
        thin = self.thickness_um < 0.02
        seen, power = np.zeros_like(frequency), np.zeros_like(frequency)
        for u, weight in ((0.0, 1.0),) if thin else zip(_SLABS * self.thickness_um / 2, _SLAB_WEIGHTS / 2, strict=True):
            near, far = float(u) - shift, self.z_um + float(u) - shift
            sharp = lens.at(frequency, near, wavelength, o.refraction, o.spherical_waves)
            seen += weight * lens.at(frequency, far, wavelength, o.refraction, o.spherical_waves) * sharp
            power += weight * sharp**2
        contrast = np.sqrt(power)
        return np.asarray(seen / np.maximum(contrast * np.maximum(contrast, _SEEN), 1e-9))


def gaussian_transfer(frequency: DoubleArray, sigma_um: float) -> DoubleArray:
    """Transfer function of a Gaussian blur: float64, shape of ``frequency``."""
    return np.asarray(np.exp(-2 * (np.pi * sigma_um * frequency) ** 2))


def disk_transfer(frequency: DoubleArray, radius_um: float) -> DoubleArray:
    """Transfer function of a uniform disk, the blur of geometrical optics: float64, shape of ``frequency``."""
    from scipy.special import j1

    argument = np.maximum(2 * np.pi * radius_um * frequency, 1e-9)
    return np.asarray(2 * j1(argument) / argument)
