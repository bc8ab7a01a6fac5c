"""How well scores tell blurred from sharp: areas under the curves, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from focusviewer.metrics.correlation import paired


def roc_auc(scores: npt.ArrayLike, blurry: npt.ArrayLike) -> float:
    """Area under the receiver operating characteristic: how often a blurred sample scores above a sharp one.

    Mann and Whitney's U from ranks, ties counting one half; NaN when only one class is there.
    """
    x, truth = paired(scores, blurry)
    positive = truth > 0
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not (ups and downs):
        return float("nan")
    return float((rankdata(x)[positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def pr_auc(scores: npt.ArrayLike, blurry: npt.ArrayLike) -> float:
    """Average precision: the sum over thresholds of precision times the gain in recall, tied scores as one step.

    NaN when no sample is blurred. Chance level is the share of blurred samples, not one half.
    """
    x, truth = paired(scores, blurry)
    positive = truth > 0
    if not positive.any():
        return float("nan")
    order = np.argsort(-x, kind="stable")
    last_of_tie = np.append(np.diff(x[order]) != 0, True)
    found = np.cumsum(positive[order])[last_of_tie]
    called = np.flatnonzero(last_of_tie) + 1
    gained = np.diff(found, prepend=0)
    return float((gained * found / called).sum() / positive.sum())


@dataclass(frozen=True)
class Detection:
    """Counts of a yes-or-no decision, and the figures made of them (NaN where nothing was there to count)."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def precision(self) -> float:
        """Share of what was called blurred that is."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of what is blurred that was called so."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def accuracy(self) -> float:
        """Share of right calls."""
        right = self.true_positive + self.true_negative
        return _ratio(right, right + self.false_positive + self.false_negative)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def detection(called: npt.ArrayLike, blurry: npt.ArrayLike) -> Detection:
    """Count right and wrong calls.

    Parameters
    ----------
    called, blurry : bool (N,)
        What was called blurred, and what is.
    """
    said, true = np.asarray(called, bool).ravel(), np.asarray(blurry, bool).ravel()
    if said.size != true.size:
        raise ValueError(f"{said.size} calls for {true.size} true values")
    counts = [(said & true), (said & ~true), (~said & true), (~said & ~true)]
    return Detection(*(int(count.sum()) for count in counts))
