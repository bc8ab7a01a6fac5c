"""How well scores tell slides that need a rescan, over every threshold; and how well verdicts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.qc.verdicts.judgement import Verdict


@dataclass(frozen=True)
class Roc:
    """A receiver operating characteristic; point i calls every slide with a score >= thresholds[i].

    Attributes
    ----------
    thresholds, false_rate, recall, precision : float64 (N,)
        From the strictest threshold to the loosest; the first calls nothing. ``precision`` is NaN there.
    auc : float
        Area under the curve; NaN when only one class is there.
    """

    thresholds: npt.NDArray[np.float64]
    false_rate: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    auc: float


def roc(scores: Sequence[float], truth: Sequence[bool]) -> Roc:
    """The curve of scores, larger meaning worse; slides with the same score are called together.

    Parameters
    ----------
    scores : sequence of float (N,)
    truth : sequence of bool (N,)
        Whether the slide needs a rescan.
    """
    values, wanted = np.asarray(scores, np.float64), np.asarray(truth, bool)
    order = np.argsort(-values, kind="stable")
    last = np.append(np.diff(values[order]) != 0, True)[: values.size]
    right, wrong = np.cumsum(wanted[order])[last], np.cumsum(~wanted[order])[last]
    right, wrong = np.concatenate([[0], right]), np.concatenate([[0], wrong])
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, false_rate = right / max(right[-1], 1), wrong / max(wrong[-1], 1)
        precision = right / (right + wrong)
    both = bool(right[-1] and wrong[-1])
    auc = float(np.sum(np.diff(false_rate) * (recall[1:] + recall[:-1]) / 2)) if both else float("nan")
    return Roc(np.concatenate([[np.inf], values[order][last]]), false_rate, recall, precision, auc)


@dataclass(frozen=True)
class Calls:
    """The program's RESCAN verdicts against the truth."""

    right: int
    wrong: int
    missed: int
    passed: int

    @property
    def recall(self) -> float:
        """Part of the slides that need a rescan that got one; NaN without any."""
        return self.right / (self.right + self.missed) if self.right + self.missed else float("nan")

    @property
    def precision(self) -> float:
        """Part of the slides sent back that needed it; NaN when none was."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else float("nan")

    @property
    def false_rate(self) -> float:
        """Part of the good slides that were sent back; NaN without any."""
        return self.wrong / (self.wrong + self.passed) if self.wrong + self.passed else float("nan")


def calls(verdicts: Sequence[Verdict], truth: Sequence[bool]) -> Calls:
    """Count RESCAN verdicts, right and wrong."""
    said, wanted = np.array([verdict is Verdict.RESCAN for verdict in verdicts], bool), np.asarray(truth, bool)
    counts = (said & wanted, said & ~wanted, ~said & wanted, ~said & ~wanted)
    return Calls(*(int(count.sum()) for count in counts))
