"""Planes predicted from a sharp one by any transfer function, with the gain and offset that fit best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, DoubleArray, FloatArray
from focusviewer.optics.formation import padded_shape
from focusviewer.optics.psf import frequency_grid
from focusviewer.simulation.fitting.align import Alignment
from focusviewer.simulation.fitting.spectra import radial_spectra

Tone = Literal["intensity", "linear", "density"]

TONES: tuple[Tone, ...] = ("intensity", "linear", "density")
"""What the blur acts on: stored values, light before a display gamma of 2.2, or optical density."""

_GAMMA = 2.2
_BLACK = 6
_TABLE = 4096

Curve = Callable[[DoubleArray], DoubleArray]
"""From frequencies (F,) in cycles per um to the transfer there, (C, F)."""


@dataclass(frozen=True)
class Prediction:
    """A predicted plane.

    Attributes
    ----------
    planes : uint8 (N, H, W, C)
        Predicted part of the blurred plane.
    tone : str
        See :data:`TONES`.
    """

    planes: RGB
    tone: Tone


def to_tone(image: RGB, tone: Tone) -> FloatArray:
    """Stored values as what the blur acts on: float32, same shape."""
    values = image.astype(np.float32) / np.float32(255)
    if tone == "linear":
        return np.asarray(values**_GAMMA, dtype=np.float32)
    if tone == "density":
        return np.asarray(-np.log10(np.maximum(values, np.float32(1 / 255))), dtype=np.float32)
    return values


def _from_tone(values: FloatArray, tone: Tone) -> FloatArray:
    if tone == "linear":
        return np.asarray(np.maximum(values, 0) ** (1 / _GAMMA), dtype=np.float32)
    if tone == "density":
        return np.asarray(10.0**-values, dtype=np.float32)
    return values


def field_of_view(sharp: RGB, blurred: RGB) -> npt.NDArray[np.bool_] | None:
    """Where a round field lies on black: bool (H, W); None for a picture that fills its frame."""
    from scipy.ndimage import binary_dilation, label

    black = np.ones(sharp.shape[1:3], bool)
    for plane in (sharp, blurred):
        black &= (plane <= _BLACK).all(axis=(0, 3))
    names, _ = label(black)
    corners = {int(names[y, x]) for y in (0, -1) for x in (0, -1)} - {0}
    outside = np.isin(names, list(corners))
    if outside.mean() < 0.02:
        return None
    return np.asarray(~binary_dilation(outside, iterations=4))


def soft_edges(inside: npt.NDArray[np.bool_]) -> FloatArray:
    """The field of view with an edge that does not ring: float32 (H, W)."""
    from scipy.ndimage import distance_transform_edt

    ramp = max(8.0, 0.06 * min(inside.shape))
    depth = np.clip(distance_transform_edt(inside) / ramp, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * depth), dtype=np.float32)


class PairImages:
    """One pair in one tone: its spectra, and planes predicted by any transfer function with fitted gain and offset."""

    def __init__(
        self,
        sharp: RGB,
        blurred: RGB,
        tone: Tone,
        alignment: Alignment,
        mpp: float,
        inside: npt.NDArray[np.bool_] | None,
        weight: FloatArray | None,
    ) -> None:
        self.tone, self.mpp, self._alignment = tone, mpp, alignment
        height, width = sharp.shape[1:3]
        self._margin = max(8, min(height, width) // 16)
        self._pad = 2 * self._margin
        part = (slice(self._margin, height - self._margin), slice(self._margin, width - self._margin))
        self._part = part
        self.truth = np.ascontiguousarray(blurred[:, part[0], part[1]])
        self.inside = None if inside is None else (soft_edges(inside) >= 1)[part]
        self._full = padded_shape((height, width), self._pad)
        grid = frequency_grid(self._full, mpp)
        self._highest = float(grid.max())
        self._entry = np.asarray(np.round(grid * ((_TABLE - 1) / self._highest)), dtype=np.intp)
        self._spectra = self._transform(np.stack([alignment.reshape(plane) for plane in to_tone(sharp, tone)]))
        moved = self._filter(np.ones((sharp.shape[3], _TABLE)))
        self.spectra = radial_spectra(moved, to_tone(blurred, tone), mpp, weight)

    def _transform(self, sharp: FloatArray) -> npt.NDArray[np.complex64]:
        """Spectra of the sharp plane, moved to where the blurred one lies: (N, C, H', W' // 2 + 1)."""
        import scipy.fft

        fields, height, width, channels = sharp.shape
        pads = [(self._pad, full - side - self._pad) for full, side in zip(self._full, (height, width), strict=True)]
        ramp = self._alignment.ramp(self._full)
        spectra = np.empty((fields, channels, self._full[0], self._full[1] // 2 + 1), np.complex64)
        for one in range(fields):
            for channel in range(channels):
                padded = np.pad(sharp[one, ..., channel], pads, mode="symmetric")
                spectra[one, channel] = scipy.fft.rfft2(padded) * ramp[channel]
        return spectra

    def _filter(self, table: DoubleArray) -> FloatArray:
        """The sharp plane through a transfer function (C, _TABLE): float32 (N, H, W, C)."""
        import scipy.fft

        fields, channels = self._spectra.shape[:2]
        height, width = self.truth.shape[1] + 2 * self._margin, self.truth.shape[2] + 2 * self._margin
        made = np.empty((fields, height, width, channels), np.float32)
        for channel in range(channels):
            transfer = table[channel].astype(np.float32)[self._entry]
            for one in range(fields):
                whole = scipy.fft.irfft2(self._spectra[one, channel] * transfer, s=self._full)
                made[one, ..., channel] = whole[self._pad : self._pad + height, self._pad : self._pad + width]
        return made

    def predict(self, curve: Curve) -> tuple[Prediction, float]:
        """The plane a transfer function predicts, and its mean squared error (8-bit steps)."""
        table = curve(np.linspace(0.0, self._highest, _TABLE))
        made = self._filter(table)[:, self._part[0], self._part[1]]
        stored = np.empty(self.truth.shape, np.uint8)
        for channel in range(made.shape[3]):
            stored[..., channel] = self._levels(made[..., channel], self.truth[..., channel])
        difference = stored.astype(np.float32) - self.truth
        return Prediction(stored, self.tone), self._mean(difference**2)

    def _levels(self, made: FloatArray, truth: RGB) -> RGB:
        """Stored values of one channel, with the gain and offset that fit best, in the tone and after it."""
        wanted = to_tone(truth, self.tone)
        values = _from_tone(_matched(made, wanted, self.inside), self.tone) * np.float32(255)
        return np.asarray(np.clip(_matched(values, truth.astype(np.float32), self.inside), 0, 255).round(), np.uint8)

    def _mean(self, values: FloatArray) -> float:
        return float(values.mean() if self.inside is None else values[:, self.inside].mean())


def _matched(values: FloatArray, wanted: FloatArray, inside: npt.NDArray[np.bool_] | None) -> FloatArray:
    """``gain * values + offset`` nearest to ``wanted``."""
    x, y = (values, wanted) if inside is None else (values[:, inside], wanted[:, inside])
    x_mean, y_mean = float(x.mean(dtype=np.float64)), float(y.mean(dtype=np.float64))
    spread = float(((x - x_mean) ** 2).mean(dtype=np.float64))
    gain = float(((x - x_mean) * (y - y_mean)).mean(dtype=np.float64)) / max(spread, 1e-12)
    return np.asarray((values - np.float32(x_mean)) * np.float32(gain) + np.float32(y_mean), dtype=np.float32)
