"""The wave in the pupil of the objective: defocus, and what coverslip, immersion and section do to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Polynomial

FAR_TURNS = 6.0
"""Turns of the pupil's phase (about 8 um of defocus at NA 0.75) from which tables crowd at low frequencies."""

_DEGREE = 8


@dataclass(frozen=True)
class Mount:
    """What lies between the objective and a point of the section, where it differs from what the lens was made for.

    The terms of Gibson and Lanni (1991). Their sum bends the wave; the part of it that is plain defocus is what a
    scanner's autofocus takes away, so it is taken away here too (the least squares over the pupil): z stays the
    distance from best focus, and what remains is spherical aberration.

    Parameters
    ----------
    coverslip_um, coverslip_index : float
        Thickness and refractive index of the coverslip (here: of D263 glass).
    design_coverslip_um, design_coverslip_index : float
        What the objective is corrected for.
    section_index : float
        Index of the mounted section, and of the medium between it and the coverslip.
    layer_um : float
        Mounting medium between the coverslip and the top of the section, um.
    design_immersion_index : float or None
        Index of the immersion the lens is made for; None: the one it has.
    working_distance_um : float
        Thickness of the immersion in the design; matters only where its index is off.
    """

    coverslip_um: float = 170.0
    coverslip_index: float = 1.523
    design_coverslip_um: float = 170.0
    design_coverslip_index: float = 1.523
    section_index: float = 1.52
    layer_um: float = 0.0
    design_immersion_index: float | None = None
    working_distance_um: float = 0.0

    def path_um(
        self, rho2: npt.NDArray[np.float64], depth_um: float, na: float, immersion_index: float
    ) -> npt.NDArray[np.float64]:
        """Optical path difference over the pupil, um, as a function of the squared normalised radius.

        Parameters
        ----------
        depth_um : float
            Of the point, below the top of the section.
        """

        def leg(index: float) -> npt.NDArray[np.float64]:
            return np.asarray(np.sqrt(np.maximum(index**2 - na**2 * rho2, 1e-6)) - index)

        design = immersion_index if self.design_immersion_index is None else self.design_immersion_index
        path = (self.layer_um + depth_um) * leg(self.section_index)
        path += self.coverslip_um * leg(self.coverslip_index)
        path -= self.design_coverslip_um * leg(self.design_coverslip_index)
        return np.asarray(path + self.working_distance_um * (leg(immersion_index) - leg(design)))


@dataclass(frozen=True)
class Pupil:
    """The phase over a pupil for one point: ``2 pi (z c(r) / wavelength + W(r))``.

    Attributes
    ----------
    na, index, wavelength_um : float
        Aperture, index of the immersion, wavelength.
    z_um : float
        Distance from best focus.
    spherical_waves : float
        Primary spherical aberration of the lens, waves (Zernike-balanced).
    mount : Mount or None
        See there.
    depth_um : float
        Of the point, below the top of the section.
    """

    na: float
    wavelength_um: float
    z_um: float
    index: float = 1.0
    spherical_waves: float = 0.0
    mount: Mount | None = None
    depth_um: float = 0.0

    def phase(self, rho2: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Phase in radians at squared normalised radii, same dtype."""
        cosine = np.sqrt(np.maximum(self.index**2 - self.na**2 * rho2, 1e-6))
        balanced = 6 * rho2**2 - 6 * rho2 + 1
        z_um, bent = self.z_um, self.spherical_waves * balanced
        if self.mount is not None:
            shift, coefficients = aberration(self.mount, self.depth_um, self.na, self.index)
            z_um -= shift
            path = np.zeros_like(rho2)
            for coefficient in coefficients[::-1]:
                path = path * rho2 + rho2.dtype.type(coefficient)
            bent = bent + path / rho2.dtype.type(self.wavelength_um)
        return np.asarray(2 * np.pi * (z_um / self.wavelength_um * cosine + bent), dtype=rho2.dtype)

    @property
    def turns(self) -> float:
        """How often the phase turns between the pupil's centre and its edge, about."""
        edge = self.index - np.sqrt(max(self.index**2 - self.na**2, 0.01))
        turns = float(abs(self.z_um) / self.wavelength_um * edge)
        if self.mount is not None:
            rho2 = np.linspace(0.0, 1.0, 64)
            still = Pupil(self.na, self.wavelength_um, 0.0, self.index, 0.0, self.mount, self.depth_um)
            turns += float(np.ptp(still.phase(rho2))) / (2 * np.pi)
        return turns


@lru_cache(maxsize=512)
def aberration(mount: Mount, depth_um: float, na: float, index: float) -> tuple[float, tuple[float, ...]]:
    """How a mount bends the wave from a depth.

    Returns
    -------
    How far best focus moves, um of the objective's travel; and the path difference (um) as coefficients of a
    polynomial in the squared radius, with that defocus still in it.
    """
    # Even steps of the squared radius are equal areas of the pupil.
    rho2 = (np.arange(512) + 0.5) / 512
    path = mount.path_um(rho2, depth_um, na, index)
    cosine = np.sqrt(np.maximum(index**2 - na**2 * rho2, 1e-6))
    shift = float(np.polyfit(cosine, path, 1)[0])
    fitted = Polynomial.fit(rho2, path, _DEGREE).convert().coef
    return shift, tuple(float(value) for value in fitted)


def frequency_nodes(samples: int, turns: float) -> npt.NDArray[np.float32]:
    """Frequencies of a table, as parts of the cut-off: float32 (samples,).

    Even steps, unless defocus is so large that all contrast is gone within a few of them: then most lie near zero.
    """
    even = np.linspace(0.0, 1.0, samples, dtype=np.float32)
    return even * even if turns > FAR_TURNS else even
