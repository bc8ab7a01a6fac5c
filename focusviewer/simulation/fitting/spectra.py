"""What two planes have in common, frequency by frequency: the transfer function from one to the other as measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import DoubleArray, FloatArray

_BINS = 128
_CROWDED = 1.35
_TAPER = 0.12
_SURE = 3.0
"""Standard deviations below zero from which contrast reversal counts as seen."""

_DEEP = 0.01


@dataclass(frozen=True)
class RadialSpectra:
    """Power and cross spectra of a pair of planes, averaged over rings of frequency.

    Attributes
    ----------
    frequency : float64 (F,)
        Mean of each ring, cycles per um.
    count : float64 (F,)
        Independent values in each ring.
    sharp, blurred, cross : float64 (C, F)
        Mean power of both planes, and the real part of the cross spectrum ``<B S*>``, per channel.
    gain : float
        Sum of the squared window: white noise of variance v has the power ``v * gain``.
    """

    frequency: DoubleArray
    count: DoubleArray
    sharp: DoubleArray
    blurred: DoubleArray
    cross: DoubleArray
    gain: float

    @cached_property
    def transfer(self) -> DoubleArray:
        """Measured transfer function ``<B S*> / <|S|^2>``: float64 (C, F)."""
        return self.cross / self.sharp

    @cached_property
    def rest(self) -> DoubleArray:
        """Power of the blurred plane that no filter of the sharp one explains: float64 (C, F)."""
        return np.maximum(self.blurred - self.cross**2 / self.sharp, 1e-12 * self.blurred)

    @cached_property
    def error(self) -> DoubleArray:
        """Standard error of the measured transfer function: float64 (C, F).

        From the power that is not explained, or from the scatter of neighbouring rings where that is larger: a
        picture of few structures holds fewer independent values than its size has room for.
        """
        counted = np.sqrt(self.rest / (self.sharp * self.count))
        steps = (self.transfer[:, 2:] - 2 * self.transfer[:, 1:-1] + self.transfer[:, :-2]) / np.sqrt(6.0)
        scatter = 1.4826 * np.median(np.abs(steps) / counted[:, 1:-1], axis=1, keepdims=True)
        return np.asarray(counted * np.maximum(1.0, scatter))

    @cached_property
    def explained(self) -> float:
        """Share of the blurred plane's power that the sharp plane explains, 0..1."""
        return float(1 - (self.count * self.rest).sum() / (self.count * self.blurred).sum())

    @cached_property
    def noise(self) -> DoubleArray:
        """Standard deviation of the blurred plane's noise per channel, from its highest frequencies: float64 (C,)."""
        top = max(1, self.frequency.size // 4)
        return np.sqrt(np.median(self.rest[:, -top:], axis=1) / self.gain)


def radial_spectra(
    sharp: FloatArray, blurred: FloatArray, mpp: float, inside: FloatArray | None = None
) -> RadialSpectra:
    """Spectra of aligned planes.

    Parameters
    ----------
    sharp, blurred : float32 (N, H, W, C)
        N fields of one pair of planes.
    mpp : float
        Pixel size, um.
    inside : float32 (H, W), optional
        Weight of each pixel, 0 outside the field of view, without hard edges.
    """
    import scipy.fft

    fields, height, width, channels = sharp.shape
    window = _tukey(height)[:, None] * _tukey(width)[None, :]
    if inside is not None:
        window = window * inside
    ring, share = _rings((height, width))
    size = int(ring.max()) + 1
    count = np.bincount(ring.ravel(), share.ravel(), size)
    sums = np.zeros((3, channels, size))
    total = float(window.sum())
    for field in range(fields):
        for channel in range(channels):
            planes = (plane[field, ..., channel] for plane in (sharp, blurred))
            s, b = (scipy.fft.rfft2((p - np.float32((p * window).sum() / total)) * window) for p in planes)
            for row, values in enumerate((np.abs(s) ** 2, np.abs(b) ** 2, (b * s.conj()).real)):
                sums[row, channel] += np.bincount(ring.ravel(), (values * share).ravel(), size)
    radius = np.bincount(ring.ravel(), (share * _radius((height, width))).ravel(), size)
    kept = (count > 0) & (np.arange(size) > 0)
    power = float((window**2).sum())
    # A window ties neighbouring frequencies together; of the two halves of a spectrum only one is independent.
    independent = power**2 / (window.size * float((window**4).sum())) / 2
    sharp_power, blurred_power, cross = sums[:, :, kept] / (fields * count[kept])
    return RadialSpectra(
        radius[kept] / count[kept] / mpp,
        fields * count[kept] * independent,
        np.maximum(sharp_power, 1e-12),
        np.maximum(blurred_power, 1e-12),
        cross,
        power,
    )


def _tukey(length: int) -> FloatArray:
    ramp = max(1, int(length * _TAPER))
    window = np.ones(length, np.float32)
    window[:ramp] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    window[-ramp:] = window[:ramp][::-1]
    return window


def _radius(shape: tuple[int, int]) -> DoubleArray:
    """Frequency of each coefficient of ``rfft2``, cycles per pixel."""
    return np.asarray(np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]))


def _rings(shape: tuple[int, int]) -> tuple[npt.NDArray[np.intp], DoubleArray]:
    """Ring of each coefficient (0: not used), narrow ones at low frequencies, and how often it counts."""
    radius = _radius(shape)
    ring = np.ceil((2 * radius) ** (1 / _CROWDED) * _BINS).astype(np.intp)
    ring[radius > 0.5] = 0
    share = np.full(radius.shape, 2.0)
    share[:, 0] = 1.0
    if shape[1] % 2 == 0:
        share[:, -1] = 1.0
    return ring, share


@dataclass(frozen=True)
class Reversal:
    """Where a transfer function first changes sign, and how deep it goes before it comes back.

    Attributes
    ----------
    zero : float or None
        First zero, cycles per um; None where there is none, or none that stands out of the noise.
    depth : float
        Lowest value of the negative lobe, relative to zero frequency; 0 where there is none.
    """

    zero: float | None
    depth: float


def reversal(frequency: DoubleArray, transfer: DoubleArray, error: DoubleArray | None = None) -> Reversal:
    """First zero and first negative lobe of one channel's transfer function.

    Parameters
    ----------
    frequency, transfer : float64 (F,)
        The transfer function, 1 at zero frequency.
    error : float64 (F,), optional
        Standard error of a measured one: the lobe counts when its weighted mean lies clearly below zero.
    """
    values = transfer if error is None else _smooth(transfer, error)
    index = 1
    while index < values.size:
        if values[index] >= 0 or values[index - 1] < 0:
            index += 1
            continue
        positive = np.nonzero(values[index:] >= 0)[0]
        end = index + int(positive[0]) if positive.size else values.size
        lobe = slice(index, end)
        depth = float(values[lobe].min())
        if depth < -_DEEP and (error is None or _sure(transfer[lobe], error[lobe])):
            before, after = values[index - 1], values[index]
            zero = frequency[index - 1] + (frequency[index] - frequency[index - 1]) * before / (before - after)
            return Reversal(float(zero), depth)
        if error is not None and np.all(np.abs(values[index : index + 6]) < 2 * error[index : index + 6]):
            break  # nothing but noise from here on
        index = end
    return Reversal(None, 0.0)


def _smooth(transfer: DoubleArray, error: DoubleArray) -> DoubleArray:
    """Weighted mean over three rings."""
    weight = 1 / np.maximum(error, 1e-6) ** 2
    taps = np.ones(3)
    return np.asarray(np.convolve(transfer * weight, taps, "same") / np.convolve(weight, taps, "same"))


def _sure(lobe: DoubleArray, error: DoubleArray) -> bool:
    weight = 1 / np.maximum(error, 1e-6) ** 2
    return bool((lobe * weight).sum() / np.sqrt(weight.sum()) < -_SURE)
