"""From a model's scores to microns from focus: monotone curves, fitted to tissue whose distance from focus is known.

A curve is fitted as a measuring instrument is calibrated: the score that tissue has at each distance (the median, made
monotone by isotonic regression), read backwards. Fitted the other way round it would pull every reading towards the
middle of the distances it was fitted to. Tissue in focus scores differently from place to place, by as much as a micron
of blur does; what scores no more than most of it (the limit of blank) therefore reads as in focus.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import DoubleArray, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.focus.base import LEVEL_UM, SAME_SCALE, FocusMap, FocusModel

IN_FOCUS_UM = 0.1
"""Up to this distance tissue counts as in focus."""

BLANK = 0.75
"""Part of the tissue in focus that reads as such."""

_REJOIN = 1.5  # times the distance that the limit of blank would read as: from there the curve is the median's
_BIN_UM = 0.25  # distances that are all different are taken together in steps of this
_MOST_DISTANCES = 64


@dataclass(frozen=True)
class Curve:
    """Distance from focus for a score: straight lines between knots, both coordinates increasing.

    Attributes
    ----------
    scores, um : tuple of float
        The knots.
    in_focus : float or None
        Score of tissue in focus, the median; None where it was not noted.
    """

    scores: tuple[float, ...]
    um: tuple[float, ...]
    in_focus: float | None = None

    def __post_init__(self) -> None:
        """Refuse knots that are no curve."""
        rising = bool(np.all(np.diff(self.scores) > 0) and np.all(np.diff(self.um) > 0))
        finite = bool(np.isfinite(self.scores).all() and np.isfinite(self.um).all())
        if len(self.scores) != len(self.um) or len(self.scores) < 2 or not rising or not finite:
            raise ValueError("a calibration curve needs two or more knots, and must rise")

    def read(self, scores: npt.ArrayLike) -> DoubleArray:
        """Distance from focus in um, never below 0; beyond the last knot the curve goes on as its last half does."""
        values = np.asarray(scores, np.float64)
        known_scores, known_um = np.asarray(self.scores), np.asarray(self.um)
        half = len(known_um) // 2 if len(known_um) > 2 else 0
        slope = (known_um[-1] - known_um[half]) / (known_scores[-1] - known_scores[half])
        beyond = np.maximum(values - known_scores[-1], 0) * slope
        return np.asarray(np.maximum(np.interp(values, known_scores, known_um) + beyond, 0.0))

    def moved(self, in_focus: float) -> Curve:
        """The curve of a scanner whose tissue in focus scores ``in_focus``."""
        shift = in_focus - (self.scores[0] if self.in_focus is None else self.in_focus)
        return Curve(tuple(score + shift for score in self.scores), self.um, in_focus)


def fit_curve(scores: npt.ArrayLike, distances_um: npt.ArrayLike) -> Curve:
    """Fit a curve to windows whose distance from focus is known.

    Parameters
    ----------
    scores, distances_um : float (N,)

    Raises
    ------
    UserError
        If the scores do not rise with the distance.
    """
    score, distance = np.asarray(scores, np.float64), np.abs(np.asarray(distances_um, np.float64))
    known = np.isfinite(score) & np.isfinite(distance)
    score, distance = score[known], distance[known]
    sharp = score[distance <= IN_FOCUS_UM]
    in_focus = float(np.median(sharp)) if sharp.size else None
    median = Curve(*_median_knots(score, distance), in_focus)
    if not sharp.size:
        return median
    blank = float(np.quantile(sharp, BLANK))
    rejoin = _REJOIN * float(median.read(blank))
    knots = [(at, um) for at, um in zip(median.scores, median.um, strict=True) if um > rejoin and at > blank]
    if rejoin <= 0 or not knots:
        return median
    joined = float(np.interp(rejoin, median.um, median.scores))
    start = [(blank, 0.0), (joined, rejoin)] if blank < joined < knots[0][0] else [(blank, 0.0)]
    at, um = zip(*start, *knots, strict=True)
    return Curve(at, um, in_focus)


def _median_knots(score: DoubleArray, distance: DoubleArray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scores and distances of the curve of medians, both rising."""
    from scipy.optimize import isotonic_regression

    if np.unique(np.round(distance, 3)).size > _MOST_DISTANCES:
        distance = np.where(distance <= IN_FOCUS_UM, 0, (np.ceil(distance / _BIN_UM) - 0.5) * _BIN_UM)
    places, index, counts = np.unique(np.round(distance, 3), return_inverse=True, return_counts=True)
    medians = np.array([np.median(score[index == place]) for place in range(places.size)])
    levels = isotonic_regression(medians, weights=counts).x
    scores: list[float] = []
    um: list[float] = []
    for level in np.unique(levels):
        pool = levels == level
        # What reads as sharp as the sharpest is in focus: blur below the depth of field cannot be seen.
        um.append(float(places[pool].min() if not um else np.average(places[pool], weights=counts[pool])))
        scores.append(float(level))
    if len(um) < 2:
        raise UserError(
            "The scores do not rise with the distance from focus",
            f"of {places.size} distances",
            "Use a stack with planes further from focus, or another model.",
        )
    return tuple(scores), tuple(um)


@dataclass(frozen=True)
class Calibration:
    """A curve, and what it holds for.

    Attributes
    ----------
    model, version : str
        Whose scores; other weights have other scores.
    scanner : str
        Key of the scanner (see ``store.scanner_key``); empty for any.
    mpp : float or None
        Pixel size that the model works at, um; None for any.
    source : str
        What it was fitted to, for people.
    """

    model: str
    version: str
    scanner: str
    mpp: float | None
    curve: Curve
    source: str

    def holds_for(self, model: str, version: str, scanner: str, working_mpp: float | None) -> bool:
        """Whether it holds for a model's scores on a scanner's slide at a pixel size."""
        if (self.model, self.version) != (model, version) or self.scanner not in ("", scanner):
            return False
        if self.mpp is None:
            return True
        return working_mpp is not None and 1 / SAME_SCALE <= working_mpp / self.mpp <= SAME_SCALE


def working_mpp(model: FocusModel, slide_mpp: float | None) -> float | None:
    """Pixel size at which a model scores a slide, um."""
    return None if slide_mpp is None else slide_mpp * model.scale_for(slide_mpp)


def apply_calibration(focus_map: FocusMap, calibration: Calibration | None) -> FocusMap:
    """The map in levels of 0.25 um by a calibration; as it is without one, of fluorescence, or where it has one."""
    if calibration is None or focus_map.calibration or focus_map.fluorescence:
        return focus_map
    curve = calibration.curve
    uncertainty = focus_map.uncertainty
    if uncertainty is not None:
        blur = focus_map.blur.astype(np.float64)
        uncertainty = _levels((curve.read(blur + uncertainty) - curve.read(blur - uncertainty)) / 2)
    return replace(
        focus_map,
        blur=_levels(curve.read(focus_map.blur)),
        uncertainty=uncertainty,
        absolute=True,
        calibration=calibration.source,
    )


def _levels(um: DoubleArray) -> FloatMap:
    return (um / LEVEL_UM).astype(np.float32)
