"""Scalar-diffraction point spread and transfer functions of a wide-field microscope."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_FAR_TURNS = 6.0
"""Turns of the pupil's phase (about 8 um of defocus at NA 0.75) from which tables crowd at low frequencies."""

_FAR_SAMPLES = 256


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
    """

    na: float = 0.75
    refractive_index: float = 1.0
    wavelengths_um: tuple[float, float, float] = (0.62, 0.54, 0.46)
    chromatic_shift_um: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spherical_waves: float = 0.0


def radial_otf(
    frequency: npt.NDArray[np.floating],
    z_um: float,
    na: float,
    wavelength_um: float,
    refractive_index: float = 1.0,
    spherical_waves: float = 0.0,
    samples: int = 128,
) -> FloatArray:
    """Incoherent optical transfer function at given spatial frequencies.

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
    table = _otf_table(
        round(float(z_um), 4),
        round(float(na), 4),
        round(float(wavelength_um), 4),
        round(float(refractive_index), 4),
        round(float(spherical_waves), 4),
        samples,
    )
    grid = 2 * na / wavelength_um * _nodes(table.size, _turns(z_um, na, wavelength_um, refractive_index))
    return np.asarray(np.interp(frequency, grid, table, right=0.0), dtype=np.float32)


@lru_cache(maxsize=4096)
def _otf_table(
    z_um: float,
    na: float,
    wavelength_um: float,
    refractive_index: float,
    spherical_waves: float,
    samples: int,
) -> FloatArray:
    """OTF at the frequencies of :func:`_nodes`, as float32; ``samples`` or more of them."""
    # Keep many points for each turn of the phase over the pupil.
    turns = _turns(z_um, na, wavelength_um, refractive_index)
    if turns > _FAR_TURNS:
        samples = max(samples, _FAR_SAMPLES)
    steps = int(np.clip(48 + 12 * turns, 48, 192))
    # The overlap of two unit disks shifted by +-s along x. The phase difference is odd in x, so its cosine is even and
    # a quarter of the overlap is enough.
    shift = _nodes(samples, turns)[:, None, None]
    unit = (np.arange(steps, dtype=np.float32) + 0.5) / np.float32(steps)
    height = np.sqrt(np.maximum(0.0, 1.0 - shift**2))
    y = unit[None, :, None] * height
    half_width = np.sqrt(np.maximum(0.0, 1.0 - y**2)) - shift
    x = unit[None, None, :] * half_width
    area = height * half_width
    phase = _pupil_phase((x + shift) ** 2 + y**2, z_um, na, wavelength_um, refractive_index, spherical_waves)
    phase -= _pupil_phase((x - shift) ** 2 + y**2, z_um, na, wavelength_um, refractive_index, spherical_waves)
    overlap = (np.cos(phase) * area).sum(axis=(1, 2), dtype=np.float64)
    table: FloatArray = (overlap / overlap[0]).astype(np.float32)
    table[-1] = 0.0
    return table


def _turns(z_um: float, na: float, wavelength_um: float, refractive_index: float) -> float:
    """How often the phase of the defocus turns between the pupil's centre and its edge."""
    return float(abs(z_um) / wavelength_um * (refractive_index - np.sqrt(max(refractive_index**2 - na**2, 0.01))))


def _nodes(samples: int, turns: float) -> FloatArray:
    """Frequencies of a table, as parts of the cut-off: float32 (samples,).

    Even steps, unless defocus is so large that all contrast is gone within a few of them: then most lie near zero.
    """
    even = np.linspace(0.0, 1.0, samples, dtype=np.float32)
    return even * even if turns > _FAR_TURNS else even


def _pupil_phase(
    rho2: npt.NDArray[np.floating],
    z_um: float,
    na: float,
    wavelength_um: float,
    index: float,
    spherical: float,
) -> npt.NDArray[np.floating]:
    """Phase in radians over the pupil, as a function of the squared normalised radius."""
    cosine = np.sqrt(np.maximum(index**2 - na**2 * rho2, 1e-6))
    balanced = 6 * rho2**2 - 6 * rho2 + 1
    return np.asarray(2 * np.pi * (z_um / wavelength_um * cosine + spherical * balanced), dtype=rho2.dtype)


def frequency_grid(shape: tuple[int, int], mpp: float) -> FloatArray:
    """Radial frequency (cycles per um) of each coefficient of ``rfft2``: float32 (H, W // 2 + 1)."""
    fy = np.fft.fftfreq(shape[0], mpp)[:, None]
    fx = np.fft.rfftfreq(shape[1], mpp)[None, :]
    return np.asarray(np.hypot(fy, fx), dtype=np.float32)


def otf(shape: tuple[int, int], mpp: float, z_um: float, optics: Optics | None = None) -> FloatArray:
    """Transfer function of each colour channel, ready to multiply ``scipy.fft.rfft2`` of an (H, W) channel.

    Parameters
    ----------
    shape : (H, W)
        Size of the image in pixels.
    mpp : float
        Pixel size, um.
    z_um : float
        Defocus, um.

    Returns
    -------
    float32 (3, H, W // 2 + 1)
    """
    optics = optics or Optics()
    grid = frequency_grid(shape, mpp)
    return np.stack(
        [
            radial_otf(grid, z_um - shift, optics.na, wavelength, optics.refractive_index, optics.spherical_waves)
            for wavelength, shift in zip(optics.wavelengths_um, optics.chromatic_shift_um, strict=True)
        ]
    )


def psf(size_px: int, mpp: float, z_um: float, optics: Optics | None = None) -> FloatArray:
    """Point spread function of each colour channel, centred.

    Returns
    -------
    float32 (size_px, size_px, 3); each channel sums to 1 (what does not fit the window wraps around).
    """
    import scipy.fft

    transfer = otf((size_px, size_px), mpp, z_um, optics)
    image = scipy.fft.irfft2(transfer, s=(size_px, size_px), axes=(1, 2))
    return np.moveaxis(np.fft.fftshift(image, axes=(1, 2)), 0, -1).astype(np.float32)
