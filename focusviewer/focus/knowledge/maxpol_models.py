"""The MaxPol family: HVS-MaxPol-1 and -2, Synthetic-MaxPol, FQPath. One kernel each way, tails of the response.

All four follow one plan (Hosseini and co-workers, 2018 and 2019): filter along x and along y, join the two responses
to a feature with the half norm ``(|a|^(1/2) + |b|^(1/2))^2``, keep its largest values - how many, the spread of the
responses decides -, and take minus the logarithm of a high central moment of them. They differ in their kernels.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.focus.knowledge.base import KnowledgeModel, windows
from focusviewer.focus.knowledge.kernels import Taps, generalised_gaussian, inverse_kernel, maxpol, response
from focusviewer.focus.measures.base import Gray

_HALF = 16
_DARK = 0.05  # gray below which HVS-MaxPol sees nothing
_NOTHING = 120.0  # the score of a window without any response, as published


@dataclass(frozen=True)
class Selection:
    """How many of the largest features are kept: a share that falls with the spread of the responses.

    The spread is the value below which ``quantile`` of the responses lie, over the largest one; values are read off a
    histogram of ``bins`` bins. The share is ``(1 - tanh(slope (spread - 0.095))) height + least``.
    """

    bins: int
    quantile: float
    slope: float
    height: float
    least: float

    def share(self, values: Gray) -> float:
        """Share of the features to keep, 0..1."""
        low, high = float(values.min()), float(values.max())
        if high <= low:
            return self.least
        counts = np.histogram(values, self.bins, (low, high))[0]
        cumulated = np.cumsum(counts) / values.size
        floor = cumulated[0] if self.quantile == 0.95 else 0.0
        below = int((cumulated < floor + self.quantile * (1 - floor)).sum())
        centre = low + (max(below, 1) - 0.5) * (high - low) / self.bins
        return float((1 - np.tanh(self.slope * (centre / high - 0.095))) * self.height + self.least)


RECTIFIED = Selection(bins=50, quantile=0.95, slope=60, height=0.25, least=0.09)
"""Of HVS-MaxPol and FQPath."""

SYNTHETIC = Selection(bins=150, quantile=0.9, slope=50, height=0.205, least=0.04)
"""Of Synthetic-MaxPol."""


def log_moment(values: Gray, order: int) -> float:
    """``-log10`` of the central moment of an even order; _NOTHING when there is none.

    Scaled by the largest deviation, since high moments leave the range of floating point.
    """
    if values.size < 2:
        return _NOTHING
    centred = np.abs(values.astype(np.float64) - values.mean(dtype=np.float64))
    largest = float(centred.max())
    if largest < 1e-9:
        return _NOTHING
    return float(-order * np.log10(largest) - np.log10(np.mean((centred / largest) ** order)))


def tail_score(across: Gray, down: Gray, order: int, selection: Selection) -> float:
    """Blur of a window from the magnitudes of its responses along x and y (any shape, the same for both)."""
    if across.size < 2:
        return _NOTHING
    share = selection.share(np.concatenate([across.ravel(), down.ravel()]))
    feature = np.square(np.sqrt(across.ravel()) + np.sqrt(down.ravel()))
    count = max(round(share * feature.size), 2)
    return log_moment(np.partition(feature, -count)[-count:], order)


def _along(gray: Gray, taps: Taps, axis: int) -> Gray:
    """Convolve along an axis, losing _HALF pixels on both its ends."""
    from scipy.ndimage import convolve1d

    result = convolve1d(gray, taps.astype(np.float32), axis=axis, mode="nearest")
    inner = slice(_HALF, gray.shape[axis] - _HALF)
    return np.asarray(result[inner] if axis == 0 else result[:, inner], np.float32)


def _inner(gray: Gray, axis: int) -> Gray:
    inner = slice(_HALF, gray.shape[axis] - _HALF)
    return gray[inner] if axis == 0 else gray[:, inner]


class _MaxPolModel(KnowledgeModel):
    """One score for each kernel, weighed together."""

    halo_px = _HALF
    moments: tuple[int, ...]
    weights: tuple[float, ...]
    selection = RECTIFIED
    rectified = True  # look only where both responses are positive

    @abstractmethod
    def responses(self, gray: Gray, index: int) -> tuple[Gray, Gray]:
        """Responses along x and along y to the kernel of an index, without halo."""

    def seen(self, gray: Gray) -> npt.NDArray[np.bool_] | None:
        """Pixels that are looked at, of an image without halo; all when None."""
        return None

    def band_scores(self, gray: Gray, rows: int, cols: int) -> npt.NDArray[np.floating]:
        """Blur of some rows of windows; see :meth:`KnowledgeModel.band_scores`."""
        scores = np.zeros((rows, cols))
        seen = self.seen(gray[_HALF:-_HALF, _HALF:-_HALF])
        for index, (moment, weight) in enumerate(zip(self.moments, self.weights, strict=True)):
            across, down = self.responses(gray, index)
            mask = (across > 0) & (down > 0) if self.rectified else np.ones_like(across, bool)
            mask = mask if seen is None else mask & seen
            across, down = np.abs(across), np.abs(down)
            for place, pixels in windows(rows, cols):
                inside = mask[pixels]
                pair = across[pixels][inside], down[pixels][inside]
                scores[place] += weight * tail_score(*pair, moment, self.selection)
        return scores


class HVSMaxPol(_MaxPolModel):
    """HVS-MaxPol: a kernel that answers as the eye does (Hosseini, Zhang and Plataniotis, IEEE TIP 2019).

    The eye boosts high frequencies in balance with their falling share in natural scenes, up to a cut-off. The fall is
    modelled by a generalised Gaussian blur ``exp(-|x / A|^b)``, the kernel is its inverse less one, fitted with even
    MaxPol derivatives (:func:`~focusviewer.focus.knowledge.kernels.inverse_kernel`). Responses count where both are
    positive and the pixel is not black. The first kernel (sixth moment) is HVS-MaxPol-1; HVS-MaxPol-2 adds a second,
    broader one (second moment) with the published weights 0.3874 and 4.0865.

    The authors give their kernels as files, not as numbers in print; here the parameters of the two blurs were chosen
    on simulated training crops.
    """

    def __init__(self, kernels: int) -> None:
        self.name = f"hvs-maxpol-{kernels}"
        self.moments, self.weights = ((6,), (1.0,)) if kernels == 1 else ((6, 2), (0.3874, 4.0865))

    def responses(self, gray: Gray, index: int) -> tuple[Gray, Gray]:
        """See the base class."""
        taps = visual_kernel(index)
        return _inner(_along(gray, taps, 1), 0), _inner(_along(gray, taps, 0), 1)

    def seen(self, gray: Gray) -> npt.NDArray[np.bool_]:
        """Pixels that are not black."""
        return gray > _DARK


_VISUAL = ((1.8, 1.0, 1.6, 16), (1.8, 1.0, 1.2, 20))  # scale and shape of the blur, fitted up to (rad), flatness at pi


@functools.cache
def visual_kernel(index: int) -> Taps:
    """The first or second kernel of HVS-MaxPol, 33 taps."""
    scale, shape, cutoff, flat = _VISUAL[index]
    blur = generalised_gaussian(scale, shape)
    return inverse_kernel(lambda w: response(blur, w).real, cutoff, terms=3, half=_HALF, flat=flat)


class SyntheticMaxPol(_MaxPolModel):
    """Synthetic-MaxPol: first and third derivative (Hosseini and Plataniotis, ICIP 2018).

    MaxPol kernels of order one and three, their cut-off below the highest frequencies that hold more noise than
    detail; all pixels count, whatever the sign of their response.
    """

    name = "synthetic-maxpol"
    moments, weights = (72, 8), (1.0, 1.0)
    selection, rectified = SYNTHETIC, False

    def responses(self, gray: Gray, index: int) -> tuple[Gray, Gray]:
        """See the base class."""
        taps = maxpol((1, 3)[index], _HALF, _FLAT[index])
        return _inner(_along(gray, taps, 1), 0), _inner(_along(gray, taps, 0), 1)


_FLAT = (16, 16)


class FQPath(_MaxPolModel):
    """FQPath: the inverse of a scanner's own blur (Hosseini et al., IEEE TMI 2019).

    The point spread function of a slightly defocused scanner - here our own optics, integrated to a line - is fitted
    by a generalised Gaussian; its inverse less one is built from even MaxPol derivatives. The kernel works along one
    axis, a generalised Gaussian smooths the other. Fourth moment; responses count where both are positive.
    """

    name = "fqpath"
    moments, weights = (4,), (1.0,)

    def responses(self, gray: Gray, index: int) -> tuple[Gray, Gray]:
        """See the base class."""
        smooth, taps = generalised_gaussian(_SMOOTH[0], _SMOOTH[1]), scanner_kernel()
        return _along(_along(gray, smooth, 0), taps, 1), _along(_along(gray, smooth, 1), taps, 0)


_SMOOTH = (1.5, 1.5)


@functools.cache
def scanner_kernel() -> Taps:
    """The kernel of FQPath, 33 taps."""
    return inverse_kernel(lambda w: response(generalised_gaussian(*scanner_blur()), w).real, 2.0, 3, _HALF, 12)


@functools.cache
def scanner_blur() -> tuple[float, float]:
    """Scale (px) and shape of the generalised Gaussian nearest to a scanner's line spread function.

    NA 0.75, 0.25 um per pixel, mean of the planes up to 1 um from focus.
    """
    from scipy.optimize import minimize

    from focusviewer.optics import Optics, psf

    half = 24
    spread = sum(psf(2 * half + 1, 0.25, z, Optics(na=0.75))[..., 1].sum(axis=0) for z in (0.0, 0.5, 1.0))
    spread = np.asarray(spread / spread.sum())

    def misfit(parameters: Taps) -> float:
        scale, shape = np.exp(parameters)
        return float(np.square(generalised_gaussian(float(scale), float(shape), half) - spread).sum())

    scale, shape = np.exp(minimize(misfit, np.log([1.2, 1.2]), method="Nelder-Mead").x)
    return float(scale), float(shape)
