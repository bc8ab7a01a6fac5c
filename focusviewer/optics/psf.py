"""Point spread and transfer functions of a wide-field microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.pupil import Mount, Pupil
from focusviewer.optics.transfer import cached_table


@dataclass(frozen=True)
class Optics:
    """The optical system of a scanner.

    Parameters
    ----------
    na : float
        Numerical aperture of the objective.
    refractive_index : float
        Index of the medium in which z is measured. Scanner z steps move the objective in air, and mounted tissue
        has n about 1.5; the paraxial defocus differs by that factor, so z is quoted in the medium given here.
    wavelengths_um : three floats
        Effective wavelengths of the red, green and blue channels, um.
    chromatic_shift_um : three floats
        Focus offset of each channel, um (axial colour).
    spherical_waves : float
        Primary spherical aberration at the pupil's edge, waves (Zernike-balanced).
    mount : Mount, optional
        Coverslip, immersion and section where they are not what the lens was made for (Gibson and Lanni 1991).
    condenser : float
        Aperture of the condenser as a part of the objective's; from 1 on, light is incoherent.
    refraction : float
        Radians by which stained structures delay the wave per unit of light that they take away.
    vectorial : bool
        Count in polarisation (Richards and Wolf 1959); for incoherent light only.
    """

    na: float = 0.75
    refractive_index: float = 1.0
    wavelengths_um: tuple[float, float, float] = (0.62, 0.54, 0.46)
    chromatic_shift_um: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spherical_waves: float = 0.0
    mount: Mount | None = None
    condenser: float = 1.0
    refraction: float = 0.0
    vectorial: bool = False

    @property
    def symmetric(self) -> bool:
        """Whether both sides of focus look the same."""
        return not self.spherical_waves and self.mount is None and not self.refraction

    def depths_um(self, z_um: npt.NDArray[np.floating]) -> FloatArray:
        """Depth of slabs below the top of their section, um of tissue, from their places on the focus axis.

        The last slab is the nearest to the coverslip. The focus axis counts the travel of the objective, on which
        tissue looks thinner than it is by the ratio of the indices.
        """
        if self.mount is None:
            return np.zeros(len(z_um), np.float32)
        stretch = self.mount.section_index / self.refractive_index
        return np.asarray((np.max(z_um) - z_um) * stretch, dtype=np.float32)


def radial_otf(
    frequency: npt.NDArray[np.floating],
    z_um: float,
    na: float,
    wavelength_um: float,
    refractive_index: float = 1.0,
    spherical_waves: float = 0.0,
    samples: int = 128,
) -> FloatArray:
    """Incoherent scalar transfer function at given spatial frequencies.

    The autocorrelation of the pupil ``exp(i k z sqrt(n^2 - (NA r)^2) + i 2 pi W rho40(r))`` (Goodman, Introduction
    to Fourier Optics, 6.4), by a two-dimensional quadrature over the overlap of the two shifted pupils.

    Parameters
    ----------
    frequency : float array, any shape
        Spatial frequency in cycles per um, >= 0.
    z_um : float
        Defocus in um.

    Returns
    -------
    float32, shape of ``frequency``; 1 at zero frequency, 0 beyond ``2 NA / wavelength``. Real, because a
    rotationally symmetric pupil has a real transfer function. Negative values are contrast reversal.
    """
    pupil = Pupil(
        round(float(na), 4),
        round(float(wavelength_um), 4),
        round(float(z_um), 4),
        round(float(refractive_index), 4),
        round(float(spherical_waves), 4),
    )
    grid, table = cached_table(pupil, False, 1.0, 0.0, samples)
    return np.asarray(np.interp(frequency, grid, table, right=0.0), dtype=np.float32)


def channel_otf(
    frequency: npt.NDArray[np.floating], z_um: float, optics: Optics, channel: int, depth_um: float = 0.0
) -> FloatArray:
    """Transfer function of one colour of a system, with all its aberrations and its illumination.

    Parameters
    ----------
    frequency : float array, any shape
        Spatial frequency in cycles per um, >= 0.
    z_um : float
        Distance of the focal plane from the point, on the focus axis, um.
    channel : int
        0, 1, 2 for red, green, blue.
    depth_um : float
        Of the point, below the top of the section (matters with a mount); taken to a quarter of a micron.

    Returns
    -------
    float32, shape of ``frequency``
    """
    z_um = round(float(z_um) - optics.chromatic_shift_um[channel], 4)
    pupil = Pupil(
        round(optics.na, 4),
        round(optics.wavelengths_um[channel], 4),
        # Without anything that tells them apart, the two sides of focus share a table.
        abs(z_um) if optics.symmetric else z_um,
        round(optics.refractive_index, 4),
        round(optics.spherical_waves, 4),
        optics.mount,
        0.0 if optics.mount is None else round(4 * float(depth_um)) / 4,
    )
    grid, table = cached_table(pupil, optics.vectorial, optics.condenser, optics.refraction, 128)
    return np.asarray(np.interp(frequency, grid, table, right=0.0), dtype=np.float32)


def frequency_grid(shape: tuple[int, int], mpp: float) -> FloatArray:
    """Radial frequency (cycles per um) of each coefficient of ``rfft2``: float32 (H, W // 2 + 1)."""
    fy = np.fft.fftfreq(shape[0], mpp)[:, None]
    fx = np.fft.rfftfreq(shape[1], mpp)[None, :]
    return np.asarray(np.hypot(fy, fx), dtype=np.float32)


def otf(
    shape: tuple[int, int], mpp: float, z_um: float, optics: Optics | None = None, depth_um: float = 0.0
) -> FloatArray:
    """Transfer function of each colour channel, ready to multiply ``scipy.fft.rfft2`` of an (H, W) channel.

    Parameters
    ----------
    shape : (H, W)
        Size of the image in pixels.
    mpp : float
        Pixel size, um.
    z_um : float
        Defocus, um.
    depth_um : float
        Depth of the point below the top of the section, um; matters with a mount.

    Returns
    -------
    float32 (3, H, W // 2 + 1)
    """
    optics = optics or Optics()
    grid = frequency_grid(shape, mpp)
    return np.stack([channel_otf(grid, z_um, optics, channel, depth_um) for channel in range(3)])


def psf(size_px: int, mpp: float, z_um: float, optics: Optics | None = None, depth_um: float = 0.0) -> FloatArray:
    """Point spread function of each colour channel, centred.

    Returns
    -------
    float32 (size_px, size_px, 3); each channel sums to 1 (what does not fit the window wraps around).
    """
    import scipy.fft

    transfer = otf((size_px, size_px), mpp, z_um, optics, depth_um)
    image = scipy.fft.irfft2(transfer, s=(size_px, size_px), axes=(1, 2))
    return np.moveaxis(np.fft.fftshift(image, axes=(1, 2)), 0, -1).astype(np.float32)
