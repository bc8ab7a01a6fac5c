"""The search for the parameters of a transfer function between two planes, in one dimension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import DoubleArray
from focusviewer.optics.psf import Optics
from focusviewer.simulation.fitting.spectra import RadialSpectra
from focusviewer.simulation.fitting.transfer import PlaneTransfer

_LIKELIHOOD = 0.05
"""Weight of the mean squared deviation, in standard errors, against decibels lost."""

_MODEL_ERROR = 0.02
"""How exactly a transfer function can be expected to follow theory; added to the error of its measurement."""

_DECIBELS = 10 / np.log(10)
_NA_SPREAD = 0.15
_PRIOR = 0.05
_COARSE_Z = 20
_IDEAL_IS_ENOUGH = 1.2
"""Mean squared deviation, in standard errors, that needs no further explanation."""

_CLEARLY_BETTER = 0.8

BOUNDS = {
    "z": (np.log(0.02), np.log(400.0)),
    "na": (0.03, 1.45),
    "thickness": (0.0, 80.0),
    "red": (-8.0, 8.0),
    "blue": (-8.0, 8.0),
    "condenser": (0.3, 1.0),
    "refraction": (-1.0, 1.0),
    "spherical": (-1.0, 1.0),
    "focus": (-8.0, 8.0),
}


@dataclass(frozen=True)
class ModelFit:
    """A fitted transfer function between two planes.

    Attributes
    ----------
    transfer : PlaneTransfer
        z, thickness and optics.
    gain : float64 (C,)
        Contrast of the blurred plane at zero frequency relative to the sharp one, per channel.
    deviation : float
        Mean squared distance to the measured transfer function, in standard errors (with 2 % for the theory).
    lost_db : float
        Decibels below the best possible isotropic linear filter.
    """

    transfer: PlaneTransfer
    gain: DoubleArray
    deviation: float
    lost_db: float

    def curve(self, frequency: DoubleArray) -> DoubleArray:
        """Transfer relative to zero frequency: float64 (C, F)."""
        return self.transfer.at(frequency, len(self.gain))


class PairTarget:
    """The measured transfer function and how much each of its values weighs."""

    def __init__(self, spectra: RadialSpectra, likelihood: float) -> None:
        self.frequency, self.measured = spectra.frequency, spectra.transfer
        self.power = spectra.count * spectra.sharp
        self.rest = float((spectra.count * spectra.rest).sum())
        self.variance = spectra.error**2 + _MODEL_ERROR**2
        self.weight = self.power * (_DECIBELS / self.rest) + likelihood / (self.variance * self.variance.size)

    def gain(self, curve: DoubleArray) -> DoubleArray:
        """Contrast of each channel, relative to the sharp plane, that suits a transfer function (C, F) best: (C,)."""
        norm = np.maximum((self.weight * curve**2).sum(axis=1), 1e-12)
        return np.asarray(np.maximum((self.weight * curve * self.measured).sum(axis=1) / norm, 1e-3))

    def residuals(self, curve: DoubleArray) -> DoubleArray:
        """Weighted differences from a transfer function (C, F), for least squares: float64 (C * F,)."""
        away = self.measured - self.gain(curve)[:, None] * curve
        return np.asarray((np.sqrt(self.weight) * away).ravel())

    def lost_db(self, curve: DoubleArray) -> float:
        """Decibels that a transfer function loses against the measured one."""
        away = self.measured - self.gain(curve)[:, None] * curve
        return float(_DECIBELS * np.log1p((self.power * away**2).sum() / self.rest))

    def deviation(self, curve: DoubleArray) -> float:
        """Mean squared distance of a transfer function from the measured one, in standard errors."""
        away = self.measured - self.gain(curve)[:, None] * curve
        return float((away**2 / self.variance).mean())


def fit_plane_transfer(
    spectra: RadialSpectra, optics: Optics, free_na: bool = True, likelihood: float = _LIKELIHOOD
) -> list[ModelFit]:
    """Fit defocus, aperture, thickness and colour shift.

    Where that does not explain what was measured, spherical aberration, the focus of the sharp plane and partly
    coherent light too, if they explain clearly more.

    Parameters
    ----------
    optics : Optics
        Expected system. The aperture is held near its own: picture and defocus alone hardly tell it.
    likelihood : float
        Weight of the likelihood of the measured values against the squared error of the picture.

    Returns
    -------
    The fits that were tried, the one to prefer first.
    """
    target = PairTarget(spectra, likelihood)
    channels = len(spectra.sharp)
    names = _ideal_names(channels, free_na)
    ideal = best = _descend(target, names, _coarse(target, optics, channels, free_na), optics.na, channels)
    if ideal.deviation < _IDEAL_IS_ENOUGH:
        return [ideal]
    fits = [ideal]
    for spherical, condenser, refraction in _STARTS:
        changes = {"spherical_waves": spherical, "condenser": condenser, "refraction": refraction}
        begins = [
            replace(ideal.transfer, optics=_changed(ideal.transfer.optics, changes)),
            _coarse(target, _changed(optics, changes), channels, free_na),
        ]
        begin = min(begins, key=lambda item: _squares(target, item, channels))
        found = _descend(target, [*names, *_real_names(begin.optics)], begin, optics.na, channels)
        fits.append(found)
        if _cost(found, likelihood) < (_CLEARLY_BETTER if best is ideal else 1.0) * _cost(best, likelihood):
            best = found
    if best is not ideal:
        best = refine_plane_transfer(spectra, best, optics, free_na, likelihood)
    return [best, *fits]


def refine_plane_transfer(
    spectra: RadialSpectra, start: ModelFit, optics: Optics, free_na: bool = True, likelihood: float = _LIKELIHOOD
) -> ModelFit:
    """Descend from a fit, with another weight of the likelihood; parameters as in :func:`fit_plane_transfer`."""
    channels = len(spectra.sharp)
    names = [*_ideal_names(channels, free_na), *_real_names(start.transfer.optics)]
    return _descend(PairTarget(spectra, likelihood), names, start.transfer, optics.na, channels)


def with_transfer(fit: ModelFit, transfer: PlaneTransfer, spectra: RadialSpectra) -> ModelFit:
    """A fit moved to other parameters, with the gain and figures that belong to them."""
    return _figures(PairTarget(spectra, _LIKELIHOOD), transfer, len(fit.gain))


def _figures(target: PairTarget, item: PlaneTransfer, channels: int) -> ModelFit:
    curve = item.at(target.frequency, channels)
    return ModelFit(item, target.gain(curve), target.deviation(curve), target.lost_db(curve))


def _ideal_names(channels: int, free_na: bool) -> list[str]:
    return ["z", *(["na"] if free_na else []), "thickness", *(["red", "blue"] if channels == 3 else [])]


def _changed(optics: Optics, changes: dict[str, float]) -> Optics:
    return replace(
        optics,
        spherical_waves=changes["spherical_waves"],
        condenser=changes["condenser"],
        refraction=changes["refraction"],
    )


_STARTS = ((0.1, 1.0, 0.0), (-0.1, 1.0, 0.0), (0.0, 0.6, -0.3), (0.0, 0.6, 0.3))
"""Where the search for what an ideal system does not explain begins: spherical aberration, condenser, refraction."""


def _real_names(optics: Optics) -> list[str]:
    """What is fitted of a system that is not ideal."""
    partly = ["condenser", "refraction"] if optics.condenser < 1 else []
    return [*partly, "spherical", "focus"] if partly or optics.spherical_waves else []


def _cost(fit: ModelFit, likelihood: float) -> float:
    return fit.lost_db + likelihood * fit.deviation


def _coarse(target: PairTarget, optics: Optics, channels: int, free_na: bool) -> PlaneTransfer:
    """The best of a series of defocus distances of a thin section, then of sections of some thickness."""
    candidates = []
    for na in (optics.na, 0.75 * optics.na) if free_na else (optics.na,):
        # In units in which every aperture crosses its zeros at the same steps.
        for z_um in 0.5 / na**2 * np.geomspace(0.2, 60, _COARSE_Z):
            candidates.append(PlaneTransfer(float(z_um), 0.0, replace(optics, na=na)))
    thin = min(candidates, key=lambda item: _squares(target, item, channels))
    thick = [
        replace(thin, thickness_um=share * thin.z_um, z_um=z * thin.z_um) for share in (0.3, 0.8) for z in (1, 1.2)
    ]
    return min([thin, *thick], key=lambda item: _squares(target, item, channels))


def _squares(target: PairTarget, transfer: PlaneTransfer, channels: int) -> float:
    return float((target.residuals(transfer.at(target.frequency, channels)) ** 2).sum())


def _descend(target: PairTarget, names: list[str], start: PlaneTransfer, usual_na: float, channels: int) -> ModelFit:
    from scipy.optimize import least_squares

    low, high = np.array([BOUNDS[name] for name in names]).T
    if "na" in names:
        high[names.index("na")] = min(BOUNDS["na"][1], 0.97 * start.optics.refractive_index)

    def residuals(x: DoubleArray) -> DoubleArray:
        item = _unpack(dict(zip(names, x, strict=True)), start)
        return np.append(target.residuals(item.at(target.frequency, channels)), unusual(item.optics, usual_na))

    values = _pack(start)
    begin = np.clip([values[name] for name in names], low + 1e-3, high - 1e-3)
    steps = np.array([STEPS[name] for name in names])
    found = least_squares(
        residuals, begin, bounds=(low, high), x_scale=steps, jac=differences(residuals, steps, high), max_nfev=20,
        ftol=1e-5, xtol=1e-4,
    )  # fmt: skip
    return _figures(target, _unpack(dict(zip(names, found.x, strict=True)), start), channels)


def unusual(optics: Optics, usual_na: float) -> DoubleArray:
    """How unusual a system is: small residuals, which decide only where the planes leave the choice open."""
    depth_of_field = 0.54 / usual_na**2
    parts = (
        (optics.na - usual_na) / _NA_SPREAD,
        optics.chromatic_shift_um[1] / depth_of_field,
        optics.spherical_waves / 0.3,
        optics.refraction / 0.4,
    )
    return _PRIOR * np.array(parts)


STEPS = {
    "z": 0.2,
    "na": 0.1,
    "thickness": 2.0,
    "red": 0.5,
    "blue": 0.5,
    "condenser": 0.1,
    "refraction": 0.2,
    "spherical": 0.1,
    "focus": 0.5,
}
"""How far a parameter goes for a change worth seeing; derivatives are taken over a hundredth of that."""


def differences(
    residuals: Callable[[DoubleArray], DoubleArray], steps: DoubleArray, high: DoubleArray
) -> Callable[[DoubleArray], npt.NDArray[np.float64]]:
    """The Jacobian of residuals by differences over a fiftieth of ``steps``."""

    def jacobian(x: DoubleArray) -> DoubleArray:
        here = residuals(x)
        columns = []
        for index, step in enumerate(steps * 0.02):
            moved = x.copy()
            moved[index] += step if x[index] + step <= high[index] else -step
            columns.append((residuals(moved) - here) / (moved[index] - x[index]))
        return np.stack(columns, axis=1)

    return jacobian


def _pack(item: PlaneTransfer) -> dict[str, float]:
    red, green, blue = item.optics.chromatic_shift_um
    return {
        "z": float(np.log(max(item.z_um, 0.03))),
        "na": item.optics.na,
        "thickness": item.thickness_um,
        "red": red - green,
        "blue": blue - green,
        "condenser": item.optics.condenser,
        "refraction": item.optics.refraction,
        "spherical": item.optics.spherical_waves,
        "focus": green,
    }


def _unpack(values: dict[str, float], start: PlaneTransfer) -> PlaneTransfer:
    known = {**_pack(start), **values}
    optics = replace(
        start.optics,
        na=float(known["na"]),
        chromatic_shift_um=(
            float(known["focus"] + known["red"]),
            float(known["focus"]),
            float(known["focus"] + known["blue"]),
        ),
        spherical_waves=float(known["spherical"]),
        condenser=float(known["condenser"]),
        refraction=float(known["refraction"]),
    )
    return PlaneTransfer(float(np.exp(known["z"])), float(known["thickness"]), optics)


def fit_one_width(spectra: RadialSpectra, shape: Callable[[DoubleArray, float], DoubleArray], mpp: float) -> float:
    """Width of a blur, by the squared error of the picture alone; the best of a fine grid, then between its points.

    Parameters
    ----------
    shape : function
        From frequencies (F,) and a width in um to the transfer there, (F,).
    mpp : float
        Pixel size, um.
    """
    from scipy.optimize import minimize_scalar

    target = PairTarget(spectra, 0.0)

    def squares(log_width: float) -> float:
        curve = np.repeat(shape(target.frequency, float(np.exp(log_width)))[None], len(spectra.sharp), axis=0)
        return float((target.residuals(curve) ** 2).sum())

    candidates = np.log(mpp) + np.linspace(np.log(0.05), np.log(80.0), 120)
    best = int(np.argmin([squares(float(width)) for width in candidates]))
    ends = (float(candidates[max(best - 1, 0)]), float(candidates[min(best + 1, candidates.size - 1)]))
    found = minimize_scalar(squares, bounds=ends, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
