"""How well the program's scores tell slides that need a rescan, over every threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from focusviewer.qc.reports.markup import TEMPLATES
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import Result, SlideRow

SCORES = {
    "score": "score of the rules",
    "blurred_fraction": "blurred part of the tissue",
    "worst_decile_um": "worst tenth of the tissue, um",
    "largest_region_mm2": "largest blurred region, mm2",
}
_SIZE, _LEFT, _TOP = 320, 46, 14  # of the plot, as its template draws it


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


def roc_section(truth: Mapping[str, bool], rows: Sequence[SlideRow]) -> Markup:
    """HTML with the curves of every score, the program's own verdicts marked, and the figures in a table.

    Parameters
    ----------
    truth : mapping of fingerprint or absolute path to bool
        Whether the slide needs a rescan; slides that are not named are left out.
    rows : sequence of SlideRow
        Of the worklist; those without a result are left out.
    """
    named = [(row.result, _truth(truth, row)) for row in rows]
    known = [(result, need) for result, need in named if result is not None and need is not None]
    if not known:
        return Markup()
    results, wanted = [result for result, _ in known], [need for _, need in known]
    made = calls([result.judgement.verdict for result in results], wanted)
    curves = {name: roc([_score(result, name) for result in results], wanted) for name in SCORES}
    return TEMPLATES.render(
        "roc.html",
        count=len(wanted),
        in_need=sum(wanted),
        rules=", ".join(sorted({result.judgement.rules for result in results})),
        recall=_number(made.recall),
        precision=_number(made.precision),
        made=made,
        lines=[(title, _number(curves[name].auc), _best(curves[name])) for name, title in SCORES.items()],
        curves=[(_points(curves[name]), f"{title} ({_number(curves[name].auc)})") for name, title in SCORES.items()],
        dot=_place(made.false_rate, made.recall) if np.isfinite([made.false_rate, made.recall]).all() else None,
        left=_LEFT,
        top=_TOP,
        size=_SIZE,
    )


def _truth(truth: Mapping[str, bool], row: SlideRow) -> bool | None:
    found = truth.get(row.facts.fingerprint)
    return truth.get(str(row.facts.path)) if found is None else found


def _score(result: Result, name: str) -> float:
    value = result.judgement.score if name == "score" else getattr(result.features, name)
    return 0.0 if value is None else float(value)


def _best(curve: Roc) -> str:
    """The threshold at which the lower one of recall and precision is highest."""
    both = np.minimum(curve.recall[1:], curve.precision[1:])
    if not both.size:
        return "–"
    best = int(np.argmax(both))
    return f"{both[best]:.3f} at {curve.thresholds[1 + best]:.3g}"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _place(x: float, y: float) -> tuple[float, float]:
    """Where a value lies in the plot."""
    return _LEFT + x * _SIZE, _TOP + (1 - y) * _SIZE


def _points(curve: Roc) -> list[tuple[float, float]]:
    """The curve's corners in the plot, each once."""
    corners = zip(curve.false_rate.tolist(), curve.recall.tolist(), strict=True)
    return [_place(x, y) for x, y in dict.fromkeys(corners)]
