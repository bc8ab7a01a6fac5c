"""How well scores follow the truth: rank and linear correlation, error in microns."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import kendalltau, rankdata

from focusviewer.core.arrays import DoubleArray


def paired(scores: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[DoubleArray, DoubleArray]:
    """Both as float64 (N,).

    Raises
    ------
    ValueError
        If they differ in length, or a value is not finite: a figure must not quietly leave samples out.
    """
    first, second = (np.asarray(values, np.float64).ravel() for values in (scores, truth))
    if first.size != second.size:
        raise ValueError(f"{first.size} scores for {second.size} true values")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("scores and true values must be finite")
    return first, second


def plcc(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Pearson's linear correlation; NaN when either side is constant."""
    x, y = paired(scores, truth)
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def srcc(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN when either side is constant."""
    x, y = paired(scores, truth)
    return plcc(rankdata(x), rankdata(y))


def krcc(scores: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Kendall's rank correlation tau-b; NaN when either side is constant."""
    x, y = paired(scores, truth)
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(kendalltau(x, y).statistic)


def mae(scores: npt.ArrayLike, truth: npt.ArrayLike, unit: float = 1.0) -> float:
    """Mean absolute error times ``unit``: with scores and truth in levels, ``LEVEL_UM`` makes it microns."""
    x, y = paired(scores, truth)
    return float(np.abs(x - y).mean() * unit) if x.size else float("nan")


def plcc_logistic(scores: npt.ArrayLike, truth: npt.ArrayLike, parameters: int = 5) -> float:
    """Pearson's correlation after a logistic curve was fitted from scores to truth, as quality studies report it.

    Parameters
    ----------
    parameters : 4 or 5
        4: ``b2 + (b1 - b2) / (1 + exp(-(x - b3) / |b4|))`` (Video Quality Experts Group 2000).
        5: ``b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5`` (Sheikh, Sabir and Bovik 2006, eq. 15).

    Returns
    -------
    The correlation of the fitted values with the truth; the plain one where no curve fits better. It says how well
    scores **could** be calibrated, since the curve has seen the truth.
    """
    if parameters not in (4, 5):
        raise ValueError("the logistic curve has 4 or 5 parameters")
    x, y = paired(scores, truth)
    plain = plcc(x, y)
    if not np.isfinite(plain) or x.size <= parameters:
        return plain
    x = (x - x.mean()) / x.std()  # a common scale, so that one set of starting values serves every model
    rising = 1.0 if plain >= 0 else -1.0
    spread = float(np.ptp(y))
    if parameters == 4:
        fitted = _fit(_logistic4, (float(y.max()), float(y.min()), 0.0, rising), x, y)
    else:
        fitted = _fit(_logistic5, (spread, rising, 0.0, 0.0, float(y.mean())), x, y)
    return plain if fitted is None else max(abs(plcc(fitted, y)), abs(plain))


def _fit(
    curve: Callable[..., DoubleArray], start: tuple[float, ...], x: DoubleArray, y: DoubleArray
) -> DoubleArray | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            best, _ = curve_fit(curve, x, y, p0=start, maxfev=4000)
    except RuntimeError:  # no convergence: the curve is no help
        return None
    fitted = curve(x, *best)
    return fitted if np.isfinite(fitted).all() and np.ptp(fitted) > 0 else None


def _sigmoid(x: DoubleArray) -> DoubleArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -60, 60))))


def _logistic4(x: DoubleArray, high: float, low: float, middle: float, width: float) -> DoubleArray:
    # The sign of the width takes the place of swapped ends, so that falling curves fit too.
    return low + (high - low) * _sigmoid((x - middle) / (width if abs(width) > 1e-6 else 1e-6))


def _logistic5(x: DoubleArray, height: float, slope: float, middle: float, tilt: float, offset: float) -> DoubleArray:
    return height * (0.5 - _sigmoid(-slope * (x - middle))) + tilt * x + offset
