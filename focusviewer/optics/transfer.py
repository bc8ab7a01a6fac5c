"""Transfer functions of a pupil: incoherent (scalar or vectorial), and of weak objects in partly coherent light.

**Incoherent.** The autocorrelation of the pupil (Goodman, Introduction to Fourier Optics, 6.4).

**Vectorial.** A point that radiates in all directions fills the pupil with six fields: two directions of polarisation
for each of three directions of the dipole. Each images by itself, so their autocorrelations add. For the points 1 and
2 of the pupil, at the angles ``t1, t2`` to the axis and ``d`` apart in azimuth, with the amplitude ``1 / sqrt(cos t)``
of an aplanatic lens, the six products add up to

    w = [(1 + c1 c2) cos^2 d + (c1 + c2) sin^2 d + s1 s2 cos d] / (2 sqrt(c1 c2)),   c = cos t, s = sin t,

which is 1 at small angles. The point spread function is the Debye integral of Richards and Wolf (1959),
``|I0|^2 + 2 |I1|^2 + |I2|^2``.

**Partly coherent.** A condenser of aperture ``S NA`` lights the section by plane waves from all points ``p`` of its
disk, each for itself (Streibl 1985). Let the section transmit the amplitude ``1 - a + i phi``, both small. The wave
from ``p`` arrives as ``P(p) - (a - i phi)~(f) P(p + f)``; in the intensity, products of two small terms are dropped,
and the sum over the source leaves ``I~ = delta - 2 a~ A(f) + 2 phi~ F(f)`` with

    A(f) = <cos(W(p + f) - W(p))>,   F(f) = <sin(W(p + f) - W(p))>,   averages over |p| < S with |p + f| < 1,

where the average is relative to the area of the source. With ``S = 1``, ``A`` is the incoherent transfer function,
aberrated or not. A smaller source reaches less far, ``(1 + S) NA / wavelength``, and blurs less out of focus. ``2 a``
is the light that a point takes away, so ``A`` acts on it as an incoherent transfer function would; structures that
also delay the wave by ``refraction`` radians for each unit of light they take away have ``A - 2 refraction F``,
which is not the same on both sides of focus.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.pupil import FAR_TURNS, Pupil, frequency_nodes

_FAR_SAMPLES = 256


def cutoff(pupil: Pupil, condenser: float = 1.0) -> float:
    """Highest frequency that passes, cycles per um."""
    return (1 + min(condenser, 1.0)) * pupil.na / pupil.wavelength_um


def transfer_table(
    pupil: Pupil, vectorial: bool = False, condenser: float = 1.0, refraction: float = 0.0, samples: int = 128
) -> tuple[FloatArray, FloatArray]:
    """Transfer function of a pupil as a table over radial frequency.

    Parameters
    ----------
    pupil : Pupil
        Aperture and phase.
    vectorial : bool
        Count in polarisation; for incoherent light.
    condenser : float
        Aperture of the condenser as a part of the objective's, > 0; from 1 on, light is incoherent.
    refraction : float
        Radians by which structures delay the wave per unit of light that they take away.
    samples : int
        Entries, at least.

    Returns
    -------
    Frequencies in cycles per um and the transfer there, float32 (N,) each; the transfer is 1 at zero frequency and
    0 at the cut-off.

    Raises
    ------
    ValueError
        For a condenser without aperture, and for polarisation in partly coherent light.
    """
    if condenser <= 0:
        raise ValueError("a condenser lets some light through")
    turns = pupil.turns
    samples = max(samples, _FAR_SAMPLES) if turns > FAR_TURNS else samples
    nodes = frequency_nodes(samples, turns)
    steps = int(np.clip(48 + 12 * turns, 48, 192))
    if condenser >= 1 and not refraction:
        table = _incoherent(pupil, nodes, steps, vectorial)
    elif vectorial:
        raise ValueError("polarisation is modelled for incoherent light only")
    else:
        table = _weak_object(pupil, nodes, steps, min(condenser, 1.0), refraction)
    return nodes * np.float32(cutoff(pupil, condenser)), table


@lru_cache(maxsize=4096)
def cached_table(
    pupil: Pupil, vectorial: bool, condenser: float, refraction: float, samples: int
) -> tuple[FloatArray, FloatArray]:
    """:func:`transfer_table`, cached."""
    return transfer_table(pupil, vectorial, condenser, refraction, samples)


def _incoherent(pupil: Pupil, nodes: FloatArray, steps: int, vectorial: bool) -> FloatArray:
    """Autocorrelation by quadrature over the overlap of two unit disks shifted by +-s along x.

    The phase difference is odd in x, so its cosine is even and a quarter of the overlap is enough.
    """
    shift = nodes[:, None, None]
    unit = (np.arange(steps, dtype=np.float32) + 0.5) / np.float32(steps)
    height = np.sqrt(np.maximum(0.0, 1.0 - shift**2))
    y = unit[None, :, None] * height
    half_width = np.sqrt(np.maximum(0.0, 1.0 - y**2)) - shift
    x = unit[None, None, :] * half_width
    area = height * half_width
    phase = pupil.phase((x + shift) ** 2 + y**2)
    phase -= pupil.phase((x - shift) ** 2 + y**2)
    values = np.cos(phase)
    if vectorial:
        values *= _polarisation(pupil, x, y, shift)
    overlap = (values * area).sum(axis=(1, 2), dtype=np.float64)
    table: FloatArray = (overlap / overlap[0]).astype(np.float32)
    table[-1] = 0.0
    return table


def _polarisation(pupil: Pupil, x: FloatArray, y: FloatArray, shift: FloatArray) -> FloatArray:
    """The weight ``w`` of two points of the pupil, (x + s, y) and (x - s, y); see the module."""
    sine = pupil.na / pupil.index
    first, second = (x + shift) ** 2 + y**2, (x - shift) ** 2 + y**2
    c1, c2 = (np.sqrt(np.maximum(1 - sine**2 * rho2, 1e-6)) for rho2 in (first, second))
    product = np.maximum(np.sqrt(first * second), 1e-12)
    cos_d = np.clip((x**2 - shift**2 + y**2) / product, -1.0, 1.0)
    weight = (1 + c1 * c2) * cos_d**2 + (c1 + c2) * (1 - cos_d**2) + sine**2 * product * cos_d
    return np.asarray(weight / (2 * np.sqrt(c1 * c2)), dtype=np.float32)


def _weak_object(pupil: Pupil, nodes: FloatArray, steps: int, condenser: float, refraction: float) -> FloatArray:
    """``A - 2 refraction F`` by quadrature over the part of the source whose diffracted light enters the pupil."""
    shift = (nodes * np.float32(1 + condenser))[:, None, None]
    unit = (np.arange(steps, dtype=np.float32) + 0.5) / np.float32(steps)
    # The source reaches from -a to a at height y, the shifted pupil from its left side to b - f.
    crossing = (shift**2 + condenser**2 - 1) / np.maximum(2 * shift, 1e-6)
    height = np.sqrt(np.maximum(condenser**2 - np.maximum(crossing, 0.0) ** 2, 0.0))
    y = unit[None, :, None] * height
    a = np.sqrt(np.maximum(condenser**2 - y**2, 0.0))
    right = np.minimum(a, np.sqrt(np.maximum(1 - y**2, 0.0)) - shift)
    width = np.maximum(right + a, 0.0)
    x = -a + unit[None, None, :] * width
    difference = pupil.phase((x + shift) ** 2 + y**2) - pupil.phase(x**2 + y**2)
    values = np.cos(difference)
    if refraction:
        values -= np.float32(2 * refraction) * np.sin(difference)
    overlap = (values * (width * height)).sum(axis=(1, 2), dtype=np.float64) / steps**2
    table: FloatArray = (2 * overlap / (np.pi * condenser**2)).astype(np.float32)
    table /= table[0]  # the error of the quadrature over the whole source
    table[-1] = 0.0
    return table
