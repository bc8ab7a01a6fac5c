"""The textbook Wiener filter between two distances from focus, and pictures kept as spectra for many of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.optics.profile import OpticsProfile
from focusviewer.refocus.baselines.spectra import from_spectrum, mirrored_frequencies, to_spectrum
from focusviewer.refocus.fast.assumed import FLOOR, wiener_filter
from focusviewer.refocus.fast.operators import either_side, lens_transfer

_SAMPLES = 2048


def wiener_transfer(
    frequency: FloatArray, blur_um: float, residual_um: float = 0.0, regularisation: float = 0.1
) -> FloatArray:
    """The filter that takes tissue from one distance from focus to another: float32 (3, F), 1 at zero frequency.

    ``T(f) = H_r H_b / (H_b^2 + n s(f))``, divided by T(0) (Wiener 1949, "Extrapolation, interpolation, and smoothing
    of stationary time series"), with H the transfer function of a lens of numerical aperture 0.7 relative to its focus
    and s the inverse power spectrum of sharp sections, :func:`focusviewer.refocus.fast.operators.scarcity`.

    Parameters
    ----------
    frequency : float32 (F,)
        Cycles per um; the first is 0.
    blur_um, residual_um : float
        Distances from focus, um, that the tissue has and that it shall have.
    regularisation : float
        ``n``: power of noise, and of what the model of blur does not explain, over that of sharp tissue at half a
        cycle per um.
    """
    blurred, wanted = lens_transfer(frequency, blur_um), lens_transfer(frequency, residual_um)
    return wiener_filter(frequency, blurred, wanted, regularisation)


def measured_transfer(
    frequency: FloatArray, blur_um: float, residual_um: float, profile: OpticsProfile, sided: bool = False
) -> FloatArray:
    """As :func:`wiener_transfer`, with the measured optics of a scanner and what they leave unexplained: (3, F).

    The model error grows with what is asked for: nothing is changed where ``residual_um`` is ``blur_um``.

    Parameters
    ----------
    blur_um, residual_um : float
        Distances from focus, um; a blur of 0 is only blurred further, as no noise need be minded.
    sided : bool
        Whether the signs of the distances tell the side of focus: positive where the plane lies above the tissue.
    """
    optics, distance = profile.optics, abs(blur_um)
    lens = lens_transfer if sided else either_side
    wanted = lens(frequency, residual_um, optics)
    if distance == 0:
        return wanted
    blurred = lens(frequency, blur_um, optics)
    unknown = profile.noise_to_signal(frequency, distance)
    if not sided:
        unknown = unknown + np.square(lens_transfer(frequency, distance, optics) - blurred)
    n = unknown * min(abs(1 - abs(residual_um) / distance), 1.0)
    found = wanted * blurred / (blurred**2 + n + FLOOR)
    return np.asarray(found / found[:, :1], dtype=np.float32)


@dataclass(frozen=True)
class FrequencyTable:
    """Radial frequencies of the spectra of one size of picture, as a table and a place in it for each coefficient.

    Attributes
    ----------
    frequency : float32 (F,)
        Cycles per um, evenly from 0.
    bins : int32 (H, W)
        Where in the table each coefficient stands.
    """

    frequency: FloatArray
    bins: npt.NDArray[np.int32]


@lru_cache(maxsize=4)
def frequency_table(shape: tuple[int, int], mpp: float) -> FrequencyTable:
    """The table for pictures (H, W) of a pixel size in um (cached)."""
    grid = mirrored_frequencies(shape, mpp)
    frequency = np.linspace(0, np.sqrt(0.5) / mpp, _SAMPLES, dtype=np.float32)  # one for all sizes of picture
    return FrequencyTable(frequency, np.rint(grid * ((_SAMPLES - 1) / frequency[-1])).astype(np.int32))


class PictureSpectrum:
    """A picture's cosine spectrum, to be filtered many times.

    Parameters
    ----------
    image : uint8 or float32 (H, W, 3)
    mpp : float
        Pixel size, um.
    """

    def __init__(self, image: RGB | FloatArray, mpp: float) -> None:
        self.table = frequency_table((image.shape[0], image.shape[1]), mpp)
        self.spectrum = to_spectrum(image.astype(np.float32))

    def filtered(self, transfer: FloatArray) -> FloatArray:
        """The picture through a filter (3, F) over the table's frequencies: float32 (H, W, 3), not clipped."""
        out = np.empty_like(self.spectrum)
        for colour in range(3):
            np.multiply(self.spectrum[colour], transfer[colour][self.table.bins], out=out[colour])
        return from_spectrum(out)
