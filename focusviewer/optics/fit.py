"""Fits the image-formation model to a real pair of planes of one section: SHARP -> BLURRED.

The two planes are registered, and the transfer function between them is measured ring by ring of frequency
(:mod:`focusviewer.optics.fit_spectra`). The squared error of a predicted plane is, by Parseval, a weighted sum of the
squared distances between the model's transfer function and the measured one, so the search for defocus, aperture,
thickness, colour shift and partial coherence never leaves one dimension. The weights hold two things: that sum
(PSNR), and the likelihood of the measured values (which is what makes zeros and contrast reversal count, where a
picture has little power). A Gaussian and a disk are fitted beside it with the same freedom of gain and offset.

Without a known pixel size, defocus, aperture and scale cannot be told apart: the fit then holds for the stated scale
alone. Even with it, defocus and aperture are tied to each other (a smaller aperture further out of focus looks almost
the same), and only the shape of the transfer function separates them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from focusviewer.errors import UserError
from focusviewer.optics.fit_align import Alignment, align
from focusviewer.optics.fit_search import ModelFit, fit_one_width, fit_plane_transfer, refine_plane_transfer
from focusviewer.optics.fit_spectra import RadialSpectra, Reversal, radial_spectra, reversal
from focusviewer.optics.fit_transfer import PlaneTransfer, disk_transfer, gaussian_transfer
from focusviewer.optics.formation import padded_shape
from focusviewer.optics.psf import Optics, frequency_grid

FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
RGB = npt.NDArray[np.uint8]
Tone = Literal["intensity", "linear", "density"]

TONES: tuple[Tone, ...] = ("intensity", "linear", "density")
"""What the blur acts on: stored values, light before a display gamma of 2.2, or optical density."""

_GAMMA = 2.2
_MIN_SIDE = 64
_MIN_EXPLAINED = 0.25
_BLACK = 6
_TABLE = 4096
_LITTLE_LIKELIHOOD = 0.005

Curve = Callable[[Floats], Floats]
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


@dataclass(frozen=True)
class PairFit:
    """The image-formation model fitted to one pair of planes, and simple blurs fitted beside it.

    Attributes
    ----------
    model : ModelFit
        Fitted parameters: z, thickness, optics; gain per channel.
    sigma_um, radius_um : float
        Of the best Gaussian and the best disk.
    truth : uint8 (N, H, W, C)
        The part of the blurred plane that the predictions are compared with (edges whose light came from outside the
        picture are left out).
    predicted, gaussian, disk, limit : Prediction
        By the model, the best Gaussian, the best disk, and the best possible isotropic linear filter, which knows the
        answer.
    inside : bool (H, W) or None
        Field of view within the compared part, where the picture has a round one.
    spectra : RadialSpectra
        Measured, in the tone of ``predicted``.
    alignment : Alignment
        Of the pair.
    """

    model: ModelFit
    sigma_um: float
    radius_um: float
    truth: RGB
    predicted: Prediction
    gaussian: Prediction
    disk: Prediction
    limit: Prediction
    inside: npt.NDArray[np.bool_] | None
    spectra: RadialSpectra
    alignment: Alignment
    mpp: float
    measured_reversal: tuple[Reversal, ...] = field(default=())
    predicted_reversal: tuple[Reversal, ...] = field(default=())

    @property
    def noise(self) -> float:
        """Standard deviation of the blurred plane's noise, full scale = 1."""
        return float(self.spectra.noise.mean())


def fit_pair(sharp: RGB, blurred: RGB, mpp: float, optics: Optics | None = None, free_na: bool = True) -> PairFit:
    """Fit the model to a pair of planes.

    Parameters
    ----------
    sharp, blurred : uint8 (H, W), (H, W, C) or (N, H, W, C)
        The sharper and the more blurred plane, C = 1 or 3; N fields of one pair share all parameters.
    mpp : float
        Pixel size, um; a stated assumption where it is not known.
    optics : Optics, optional
        Where the search starts (aperture, index, wavelengths); the usual objective for the scale when missing.
    free_na : bool
        Whether the aperture may change.

    Raises
    ------
    UserError
        If the planes differ in size, are too small, or do not show the same tissue.
    """
    sharp, blurred = _as_fields(sharp), _as_fields(blurred)
    _check_pair(sharp, blurred)
    optics = optics or usual_optics(mpp)
    inside = field_of_view(sharp, blurred)
    weight = None if inside is None else _soft(inside)
    alignment = align(to_tone(sharp, "intensity"), to_tone(blurred, "intensity"), weight)
    if np.abs(alignment.shift_px).max() > min(sharp.shape[1:3]) / 4:
        raise _other_tissue()
    pairs = {tone: _Pair(sharp, blurred, tone, alignment, mpp, inside, weight) for tone in TONES}
    if pairs["intensity"].spectra.explained < _MIN_EXPLAINED:
        raise _other_tissue()
    # The best possible isotropic filter tells, before anything is fitted, in which tone light adds up.
    limits = {tone: pair.predict(_measured_curve(pair.spectra)) for tone, pair in pairs.items()}
    tone = min(limits, key=lambda name: limits[name][1])
    pair = pairs[tone]
    found = fit_plane_transfer(pair.spectra, optics, free_na)
    model = found[0]
    sigma, gaussian = _best_width(pairs, gaussian_transfer)
    radius, disk = _best_width(pairs, disk_transfer)
    predicted = pair.predict(model.curve)
    if predicted[1] > gaussian[1]:
        # The likelihood outweighed the picture: let the picture decide, beginning where that was predicted best.
        nearest = min(found, key=lambda item: item.lost_db)
        closer = refine_plane_transfer(pair.spectra, nearest, optics, free_na, _LITTLE_LIKELIHOOD)
        again = pair.predict(closer.curve)
        if again[1] < predicted[1]:
            model, predicted = closer, again
    fit = PairFit(
        model, sigma, radius, pair.truth, predicted[0], gaussian[0], disk[0], limits[tone][0],
        pair.inside, pair.spectra, alignment, mpp,
    )  # fmt: skip
    return replace(fit, measured_reversal=_measured(fit), predicted_reversal=_predicted(fit))


def usual_optics(mpp: float) -> Optics:
    """The objective that usually has such pixels: NA 0.75 at 0.25 um, less at larger ones, oil at the smallest."""
    na = 0.75 * (0.25 / mpp) ** 0.7
    return (
        Optics(na=round(float(np.clip(na, 0.05, 0.95)), 3)) if mpp > 0.12 else Optics(na=1.25, refractive_index=1.515)
    )


def _as_fields(image: RGB) -> RGB:
    if image.ndim == 2:
        return image[None, ..., None]
    return image[None] if image.ndim == 3 else image


def _check_pair(sharp: RGB, blurred: RGB) -> None:
    if sharp.shape != blurred.shape:
        first, second = (f"{plane.shape[2]} x {plane.shape[1]}" for plane in (sharp, blurred))
        why = f"one is {first}, the other {second} pixels" if first != second else "one is gray, the other in colour"
        raise UserError("The two planes do not fit together", why, "Give two planes of one focal stack.")
    if min(sharp.shape[1:3]) < _MIN_SIDE:
        raise UserError("The planes are too small", f"a fit needs {_MIN_SIDE} pixels on each side", "Give larger ones.")
    for name, plane in (("sharp", sharp), ("blurred", blurred)):
        if float(plane.std(axis=(1, 2)).max()) < 0.5:
            raise UserError(
                f"The {name} plane is empty", "it has the same colour everywhere", "Give planes with tissue."
            )


def _other_tissue() -> UserError:
    return UserError(
        "The two planes do not show the same tissue",
        "what they have in common is not more than two unrelated pictures have",
        "Give two aligned planes of one focal stack, the sharper one first.",
    )


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


def _soft(inside: npt.NDArray[np.bool_]) -> FloatArray:
    """The field of view with an edge that does not ring: float32 (H, W)."""
    from scipy.ndimage import distance_transform_edt

    ramp = max(8.0, 0.06 * min(inside.shape))
    depth = np.clip(distance_transform_edt(inside) / ramp, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * depth), dtype=np.float32)


class _Pair:
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
        self.inside = None if inside is None else (_soft(inside) >= 1)[part]
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

    def _filter(self, table: Floats) -> FloatArray:
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


def _measured_curve(spectra: RadialSpectra) -> Curve:
    def curve(frequency: Floats) -> Floats:
        return np.stack([np.interp(frequency, spectra.frequency, row, right=0.0) for row in spectra.transfer])

    return curve


def _best_width(
    pairs: dict[Tone, _Pair], shape: Callable[[Floats, float], Floats]
) -> tuple[float, tuple[Prediction, float]]:
    """Width of the best blur of a shape, and what it predicts, in the tone that suits it best."""
    best: tuple[float, tuple[Prediction, float]] | None = None
    for pair in pairs.values():
        channels = pair.truth.shape[3]
        width = fit_one_width(pair.spectra, shape, pair.mpp)

        def curve(frequency: Floats, width: float = width, channels: int = channels) -> Floats:
            return np.repeat(shape(frequency, width)[None], channels, axis=0)

        made = pair.predict(curve)
        if best is None or made[1] < best[1][1]:
            best = (width, made)
    assert best is not None
    return best


def _measured(fit: PairFit) -> tuple[Reversal, ...]:
    rows = fit.spectra.transfer / fit.model.gain[:, None]
    errors = fit.spectra.error / fit.model.gain[:, None]
    return tuple(reversal(fit.spectra.frequency, row, error) for row, error in zip(rows, errors, strict=True))


def _predicted(fit: PairFit) -> tuple[Reversal, ...]:
    fine = np.linspace(0.0, float(fit.spectra.frequency[-1]), 2048)
    return tuple(reversal(fine, row) for row in fit.model.curve(fine))


__all__ = [
    "TONES",
    "ModelFit",
    "PairFit",
    "PlaneTransfer",
    "Prediction",
    "field_of_view",
    "fit_pair",
    "usual_optics",
]
