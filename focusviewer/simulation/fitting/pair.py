"""Fits the image-formation model to a real pair of planes of one section: SHARP -> BLURRED.

The two planes are registered, and the transfer function between them is measured ring by ring of frequency
(:mod:`focusviewer.simulation.fitting.spectra`). The squared error of a predicted plane is, by Parseval, a weighted sum
of the squared distances between the model's transfer function and the measured one, so the search for defocus,
aperture, thickness, colour shift and partial coherence never leaves one dimension. The weights hold two things: that
sum (PSNR), and the likelihood of the measured values (which is what makes zeros and contrast reversal count, where a
picture has little power). A Gaussian and a disk are fitted beside it with the same freedom of gain and offset.

Without a known pixel size, defocus, aperture and scale cannot be told apart: the fit then holds for the stated scale
alone. Even with it, defocus and aperture are tied to each other (a smaller aperture further out of focus looks almost
the same), and only the shape of the transfer function separates them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, DoubleArray
from focusviewer.core.errors import UserError
from focusviewer.optics.psf import Optics
from focusviewer.simulation.fitting.align import Alignment, align
from focusviewer.simulation.fitting.predict import (
    TONES,
    Curve,
    PairImages,
    Prediction,
    Tone,
    field_of_view,
    soft_edges,
    to_tone,
)
from focusviewer.simulation.fitting.search import (
    ModelFit,
    fit_one_width,
    fit_plane_transfer,
    refine_plane_transfer,
    with_transfer,
)
from focusviewer.simulation.fitting.spectra import RadialSpectra, Reversal, reversal
from focusviewer.simulation.fitting.transfer import PlaneTransfer, disk_transfer, gaussian_transfer

_MIN_SIDE = 64
_MIN_EXPLAINED = 0.25
_POLISH = 21
_LITTLE_LIKELIHOOD = 0.005


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
        By the model, the best Gaussian, the best disk, and the measured transfer function itself, which was taken from
        the answer (noise included).
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
    weight = None if inside is None else soft_edges(inside)
    alignment = align(to_tone(sharp, "intensity"), to_tone(blurred, "intensity"), weight)
    if np.abs(alignment.shift_px).max() > min(sharp.shape[1:3]) / 4:
        raise _other_tissue()
    pairs = {tone: PairImages(sharp, blurred, tone, alignment, mpp, inside, weight) for tone in TONES}
    if pairs["intensity"].spectra.explained < _MIN_EXPLAINED:
        raise _other_tissue()
    sigma, gaussian = _best_width(pairs, gaussian_transfer)
    radius, disk = _best_width(pairs, disk_transfer)
    # The tone in which blur is linear is the one that the measured transfer function predicts best in; where that is
    # too noisy, the Gaussian.
    limits = {tone: pair.predict(_measured_curve(pair.spectra)) for tone, pair in pairs.items()}
    tone = min(limits, key=lambda name: limits[name][1])
    if gaussian[1] < limits[tone][1]:
        tone = gaussian[0].tone
    pair = pairs[tone]
    model, predicted = _best_model(pair, optics, free_na, gaussian[1])
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


def _measured_curve(spectra: RadialSpectra) -> Curve:
    def curve(frequency: DoubleArray) -> DoubleArray:
        return np.stack([np.interp(frequency, spectra.frequency, row, right=0.0) for row in spectra.transfer])

    return curve


def _best_model(
    pair: PairImages, optics: Optics, free_na: bool, to_reach: float
) -> tuple[ModelFit, tuple[Prediction, float]]:
    """The fitted model and what it predicts; nearer to the picture where it misses a mean squared error to reach."""
    found = fit_plane_transfer(pair.spectra, optics, free_na)
    best = (found[0], pair.predict(found[0].curve))
    if best[1][1] > to_reach:
        # The likelihood outweighed the picture: let the picture decide, beginning where that was predicted best.
        nearest = min(found, key=lambda item: item.lost_db)
        closer = refine_plane_transfer(pair.spectra, nearest, optics, free_na, _LITTLE_LIKELIHOOD)
        best = min(best, (closer, pair.predict(closer.curve)), key=lambda item: item[1][1])
    if best[1][1] > to_reach:
        best = _polished(pair, best)
    return best


def _polished(
    pair: PairImages, begin: tuple[ModelFit, tuple[Prediction, float]]
) -> tuple[ModelFit, tuple[Prediction, float]]:
    """Defocus and thickness moved by the error of the predicted plane itself.

    Spectra weigh the middle of the picture; in one with few structures that is not quite what is compared.
    """
    from scipy.optimize import minimize

    best = begin
    start = begin[0].transfer

    def error(x: DoubleArray) -> float:
        nonlocal best
        thickness = float(max(0.0, start.thickness_um + x[1] * start.z_um))
        moved = replace(start, z_um=float(start.z_um * np.exp(x[0])), thickness_um=thickness)
        model = with_transfer(begin[0], moved, pair.spectra)
        made = pair.predict(model.curve)
        if made[1] < best[1][1]:
            best = (model, made)
        return made[1]

    simplex = np.array([[0.0, 0.0], [0.12, 0.0], [0.0, 0.3]])
    options = {"initial_simplex": simplex, "maxfev": _POLISH, "xatol": 0.01, "fatol": 1e-3}
    minimize(error, np.zeros(2), method="Nelder-Mead", options=options)
    return best


def _best_width(
    pairs: dict[Tone, PairImages], shape: Callable[[DoubleArray, float], DoubleArray]
) -> tuple[float, tuple[Prediction, float]]:
    """Width of the best blur of a shape, and what it predicts, in the tone that suits it best."""
    from scipy.optimize import minimize_scalar

    def made(pair: PairImages, width: float) -> tuple[float, tuple[Prediction, float]]:
        channels = pair.truth.shape[3]
        return width, pair.predict(lambda frequency: np.repeat(shape(frequency, width)[None], channels, axis=0))

    tries = [(pair, made(pair, fit_one_width(pair.spectra, shape, pair.mpp))) for pair in pairs.values()]
    pair, best = min(tries, key=lambda item: item[1][1][1])
    tried = [best]

    def error(log_change: float) -> float:
        tried.append(made(pair, best[0] * float(np.exp(log_change))))
        return tried[-1][1][1]

    minimize_scalar(error, bounds=(-0.2, 0.2), method="bounded", options={"maxiter": _POLISH // 3, "xatol": 0.005})
    return min(tried, key=lambda item: item[1][1])


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
