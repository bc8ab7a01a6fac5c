"""The optics of a scanner from planes of its own: what is in focus predicts what is not.

All pairs of planes share one lens; each has its distance. The search is that of
:mod:`focusviewer.simulation.fitting.search`, with thin sections: the thickness of the tissue goes into the aperture,
which is what engines need, as they know no thickness.

A lens of more parameters always explains the planes better that it was fitted to. So every lens is fitted to one part
of the field and judged on the other, by what it is for: the error that a Wiener filter with this lens, and the model
error of the first part, leaves in the other part. By Parseval that error is a sum over rings of frequency,

    sum (S - 2 T X + T^2 B),   T = P / (P^2 + r),

with the power of both planes S and B and their cross spectrum X, the transfer P from focus to the blurred plane, and r
the power that it does not explain relative to S. More parameters are taken only where they leave clearly less, and
neither part more. Planes on one side of focus do not tell the sides apart: then the filter is that of engines which do
not know the side, with the mean P of both sides, and half their difference as model error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB, DoubleArray
from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import UserError
from focusviewer.optics.profile import ModelError, as_gray
from focusviewer.optics.psf import Optics
from focusviewer.simulation.fitting.align import align
from focusviewer.simulation.fitting.model_error import band_edges, band_middles, banded_error, left_after
from focusviewer.simulation.fitting.predict import PairImages, field_of_view, soft_edges, to_tone
from focusviewer.simulation.fitting.search import BOUNDS, STEPS, PairTarget, differences, unusual
from focusviewer.simulation.fitting.spectra import RadialSpectra
from focusviewer.simulation.fitting.transfer import PlaneTransfer

STANDARD = Optics(na=0.7)
"""The lens that holds where nothing was measured."""

LEAST_EXPLAINED = 0.25
"""Share of a plane's power that another must explain to show the same tissue."""

_CLEARLY = 0.95  # the error that more parameters must leave, of what fewer do
_LIKELIHOOD = 0.05
_MIN_SIDE = 128
_LEAST_Z, _MOST_Z, _Z_NODES = 0.1, 12.0, 25
_STARTS: tuple[tuple[tuple[str, ...], tuple[dict[str, float], ...]], ...] = (
    (("na",), ({},)),
    (("na", "red", "blue"), ({},)),
    (("na", "red", "blue", "spherical"), ({"spherical": 0.1}, {"spherical": -0.1})),
    (
        ("na", "red", "blue", "spherical", "condenser", "refraction"),
        ({"condenser": 0.7, "refraction": 0.3}, {"condenser": 0.7, "refraction": -0.3}),
    ),
)
"""What is fitted, from little to much, and where the search for what is new begins."""


@dataclass(frozen=True)
class PlanePair:
    """A plane in focus and another one of the same tissue.

    Attributes
    ----------
    sharp, blurred : uint8 (N, H, W, C)
        N fields, C = 1 or 3.
    side : 1 or -1
        On which side of focus the blurred plane lies, where pairs of both sides are given.
    z_um : float or None
        Its distance, where that is known.
    """

    sharp: RGB
    blurred: RGB
    side: int = 1
    z_um: float | None = None


@dataclass(frozen=True)
class FittedOptics:
    """A lens, what it leaves unexplained, and what it gains on planes it was not fitted to.

    Attributes
    ----------
    optics : Optics
    z_um : tuple of float
        Distance of each pair.
    frequency : tuple of float
    errors : tuple of ModelError
        By distance.
    gain_db, standard_gain_db : float
        Means over pairs and parts of the field, each judged by the lens of the other part; of the standard lens with
        the distance that suits it and the regularisation given to :func:`fit_optics`.
    """

    optics: Optics
    z_um: tuple[float, ...]
    frequency: tuple[float, ...]
    errors: tuple[ModelError, ...]
    gain_db: float
    standard_gain_db: float


@dataclass(frozen=True)
class _Fit:
    """One lens for all pairs, with their distances (signed)."""

    optics: Optics
    z_um: tuple[float, ...]
    cost: float

    def transfer(self, pair: int, frequency: DoubleArray, channels: int) -> DoubleArray:
        return PlaneTransfer(self.z_um[pair], 0.0, self.optics).at(frequency, channels)


def sharpest_plane(planes: RGB) -> int:
    """The plane with the most fine structure, of (P, N, H, W, C)."""
    from scipy.ndimage import gaussian_laplace

    energy = [
        np.mean([gaussian_laplace(field.mean(axis=2, dtype=np.float32), 1.5).std() for field in plane])
        for plane in planes
    ]
    return int(np.argmax(energy))


Regularisation = Callable[[DoubleArray, float], DoubleArray]
"""From frequencies and a distance from focus to the noise-to-signal ratio of a filter where nothing was measured."""


def fit_optics(
    pairs: Sequence[PlanePair],
    mpp: float,
    usual: Regularisation,
    on_progress: Callable[[float], None] | None = None,
    cancel: threading.Event | None = None,
) -> FittedOptics:
    """Fit the optics of a scanner.

    Parameters
    ----------
    mpp : float
        Pixel size, um.
    usual : function
        Regularisation of the filter without a profile, to compare with.
    on_progress : function, optional
        Given the share that is done.

    Raises
    ------
    UserError
        If planes are too small, differ in size or do not show the same tissue.
    CancelledError
        If ``cancel`` is set.
    """
    known = [_Parts.of(pair, mpp) for pair in pairs]
    steps = 2 * (len(_STARTS) + 1) + 1
    done = 0

    def step() -> None:
        nonlocal done
        stop_if(cancel)
        done += 1
        if on_progress is not None:
            on_progress(min(done / steps, 1.0))

    channels = len(known[0].spectra[0].sharp)
    levels = [names for names, _ in _STARTS if channels == 3 or "red" not in names or "spherical" in names]
    folds = [_ladder(known, (part,), levels, channels, step) for part in (0, 1)]
    judged = [[_judge(known, fit, part, 1 - part, channels) for part, fit in enumerate(row)]
              for row in zip(*folds, strict=True)]  # fmt: skip
    left = np.array([[error for error, _ in row] for row in judged])  # (levels, parts)
    best = 0
    for index in range(1, len(left)):
        if left[index].mean() < _CLEARLY * left[best].mean() and np.all(left[index] <= left[best]):
            best = index
    whole = _ladder(known, (0, 1), levels[:best], channels, lambda: None)[-1]
    step()
    chosen = [fold[best] for fold in folds]
    errors = _errors(known, chosen, whole, channels, mpp)
    gain = float(np.mean([gain for _, gain in judged[best]]))
    standard = [_judge(known, fold[0], part, 1 - part, channels, usual)[1] for part, fold in enumerate(folds)]
    optics = as_gray(whole.optics) if channels == 1 else whole.optics
    return FittedOptics(
        optics, tuple(abs(z) for z in whole.z_um), tuple(band_middles(mpp)), errors, gain, float(np.mean(standard))
    )


@dataclass(frozen=True)
class _Parts:
    """A pair as spectra of two parts of its field."""

    spectra: tuple[RadialSpectra, RadialSpectra]
    side: int
    z_um: float | None

    @classmethod
    def of(cls, pair: PlanePair, mpp: float) -> _Parts:
        if pair.sharp.shape != pair.blurred.shape:
            raise UserError(
                "The two planes do not fit together", "they differ in size or in colours",
                "Give two planes of one focal stack.",
            )  # fmt: skip
        count, height, width, _ = pair.sharp.shape
        cuts: list[Any]
        if count > 1:
            cuts = [(slice(0, count, 2),), (slice(1, count, 2),)]
        else:
            if width < 2 * _MIN_SIDE or height < _MIN_SIDE:
                raise UserError(
                    "The planes are too small",
                    f"a profile needs {2 * _MIN_SIDE} x {_MIN_SIDE} pixels: one half is fitted, the other judges",
                    "Give larger ones.",
                )
            cuts = [
                (slice(None), slice(None), slice(0, width // 2)),
                (slice(None), slice(None), slice(width // 2, None)),
            ]
        first, second = (_spectra(pair.sharp[cut], pair.blurred[cut], mpp) for cut in cuts)
        return cls((first, second), pair.side, pair.z_um)


def _spectra(sharp: RGB, blurred: RGB, mpp: float) -> RadialSpectra:
    """Spectra of stored values, which engines filter."""
    if any(float(plane.std(axis=(1, 2)).max()) < 0.5 for plane in (sharp, blurred)):
        raise UserError(
            "A half of a plane is empty", "it has the same colour everywhere", "Give planes full of tissue."
        )
    inside = field_of_view(sharp, blurred)
    weight = None if inside is None else soft_edges(inside)
    alignment = align(to_tone(sharp, "intensity"), to_tone(blurred, "intensity"), weight)
    found = PairImages(sharp, blurred, "intensity", alignment, mpp, inside, weight).spectra
    if np.abs(alignment.shift_px).max() > min(sharp.shape[1:3]) / 4 or found.explained < LEAST_EXPLAINED:
        raise UserError(
            "The planes do not show the same tissue",
            "what they have in common is not more than two unrelated pictures have",
            "Give aligned planes of one focal stack, the sharp one first.",
        )
    return found


def _ladder(
    pairs: Sequence[_Parts], parts: Sequence[int], levels: Sequence[tuple[str, ...]], channels: int,
    step: Callable[[], None],
) -> list[_Fit]:  # fmt: skip
    """The standard lens, and one fit for each level, each begun where the one before ended."""
    targets = [[PairTarget(pair.spectra[part], _LIKELIHOOD) for part in parts] for pair in pairs]
    fits = [_descend(targets, pairs, (), _coarse(targets, pairs, STANDARD, channels), channels)]
    step()
    starts = dict(_STARTS)
    for names in levels:
        begin = fits[-1]
        found = []
        for changes in starts[names]:
            optics = _moved(begin.optics, changes)
            found.append(_descend(targets, pairs, _fitted(names, channels), replace(begin, optics=optics), channels))
        fits.append(min(found, key=lambda fit: fit.cost))
        step()
    return fits


def _fitted(names: Sequence[str], channels: int) -> tuple[str, ...]:
    return tuple(name for name in names if channels == 3 or name not in ("red", "blue"))


def _coarse(
    targets: Sequence[Sequence[PairTarget]], pairs: Sequence[_Parts], optics: Optics, channels: int
) -> _Fit:  # fmt: skip
    """Distances from a series of them."""
    found = []
    for some, pair in zip(targets, pairs, strict=True):
        tries = [pair.z_um] if pair.z_um is not None else list(np.geomspace(_LEAST_Z, _MOST_Z, _Z_NODES))
        costs = [_squares(some, PlaneTransfer(float(z), 0.0, optics), channels) for z in tries]
        found.append(pair.side * float(tries[int(np.argmin(costs))]))
    return _Fit(optics, tuple(found), np.inf)


def _squares(targets: Sequence[PairTarget], transfer: PlaneTransfer, channels: int) -> float:
    return sum(float((t.residuals(transfer.at(t.frequency, channels)) ** 2).sum()) for t in targets)


def _descend(
    targets: Sequence[Sequence[PairTarget]], pairs: Sequence[_Parts], names: Sequence[str], start: _Fit, channels: int
) -> _Fit:
    """Least squares over the lens and the distances that are not known."""
    from scipy.optimize import least_squares

    free = [index for index, pair in enumerate(pairs) if pair.z_um is None]
    bounds = np.array([BOUNDS[name] for name in (*names, *["z"] * len(free))]).reshape(-1, 2)
    low, high = bounds.T.copy()
    if "na" in names:
        high[list(names).index("na")] = 0.95
    weight = 1 / np.sqrt(len(pairs))

    def at(x: DoubleArray) -> tuple[Optics, list[float]]:
        values = dict(zip(names, map(float, x[: len(names)]), strict=True))
        distances = list(start.z_um)
        for index, log_z in zip(free, x[len(names) :], strict=True):
            distances[index] = pairs[index].side * float(np.exp(log_z))
        return _moved(start.optics, values), distances

    def residuals(x: DoubleArray) -> DoubleArray:
        optics, distances = at(x)
        rows = []
        for some, z_um in zip(targets, distances, strict=True):
            transfer = PlaneTransfer(z_um, 0.0, optics)
            rows += [weight * target.residuals(transfer.at(target.frequency, channels)) for target in some]
        return np.concatenate([*rows, unusual(optics, STANDARD.na)])

    values = _values(start.optics)
    begin = np.array([*(values[name] for name in names), *(np.log(abs(start.z_um[index])) for index in free)])
    if not begin.size:
        return replace(start, cost=float((residuals(begin) ** 2).sum()))
    steps = np.array([STEPS[name] for name in (*names, *["z"] * len(free))])
    found = least_squares(
        residuals, np.clip(begin, low + 1e-3, high - 1e-3), bounds=(low, high), x_scale=steps,
        jac=differences(residuals, steps, high), max_nfev=20, ftol=1e-5, xtol=1e-4,
    )  # fmt: skip
    optics, distances = at(found.x)
    return _Fit(optics, tuple(distances), float(2 * found.cost))


def _values(optics: Optics) -> dict[str, float]:
    return {
        "na": optics.na,
        "red": optics.chromatic_shift_um[0],
        "blue": optics.chromatic_shift_um[2],
        "spherical": optics.spherical_waves,
        "condenser": optics.condenser,
        "refraction": optics.refraction,
    }


def _moved(optics: Optics, changes: dict[str, float]) -> Optics:
    values = {**_values(optics), **changes}
    return replace(
        optics,
        na=values["na"],
        chromatic_shift_um=(values["red"], 0.0, values["blue"]),
        spherical_waves=values["spherical"],
        condenser=values["condenser"],
        refraction=values["refraction"],
    )


def _judge(
    pairs: Sequence[_Parts], fit: _Fit, part: int, other: int, channels: int, usual: Regularisation | None = None
) -> tuple[float, float]:
    """Error that filters with a fit of one part leave in the other (of what was there), and their gain in dB."""
    shares, sided = [], len({pair.side for pair in pairs}) == 2
    for index, pair in enumerate(pairs):
        mine, theirs = pair.spectra[part], pair.spectra[other]
        transfer = fit.transfer(index, mine.frequency, channels)
        contrast = PairTarget(mine, _LIKELIHOOD).gain(transfer)[:, None]
        if usual is None:
            edges = band_edges(mine.frequency[-1])
            bands = banded_error(mine, transfer, contrast, edges)[1]
            middles = (edges[1:] + edges[:-1]) / 2
            ratio = np.stack([np.interp(mine.frequency, middles, row) for row in bands])
        else:
            ratio = usual(mine.frequency, abs(fit.z_um[index]))
        if not sided:
            mirrored = PlaneTransfer(-fit.z_um[index], 0.0, fit.optics).at(mine.frequency, channels)
            ratio = ratio + np.square((transfer - mirrored) / 2)
            transfer = (transfer + mirrored) / 2
        shares.append(left_after(theirs, transfer / (transfer**2 + ratio + 1e-4), contrast))
    return float(np.mean(shares)), float(np.mean(-10 * np.log10(shares)))


def _errors(
    pairs: Sequence[_Parts], folds: Sequence[_Fit], whole: _Fit, channels: int, mpp: float
) -> tuple[ModelError, ...]:
    """Model error of each distance: of each part by the lens of the other, the mean of both."""
    found: dict[float, list[tuple[DoubleArray, DoubleArray]]] = {}
    edges = band_edges(0.5 / mpp)
    for index, pair in enumerate(pairs):
        for part, fit in enumerate(folds):
            theirs = pair.spectra[1 - part]
            transfer = fit.transfer(index, theirs.frequency, channels)
            contrast = PairTarget(theirs, _LIKELIHOOD).gain(transfer)[:, None]
            z_um = round(abs(whole.z_um[index]), 2)
            found.setdefault(z_um, []).append(banded_error(theirs, transfer, contrast, edges))
    errors = []
    for z_um in sorted(found):
        shares, ratios = (np.mean([item[kind] for item in found[z_um]], axis=0) for kind in (0, 1))
        errors.append(ModelError(z_um, _rows(shares), _rows(ratios)))
    return tuple(errors)


def _rows(values: DoubleArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in values)
