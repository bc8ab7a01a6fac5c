"""Receiver operating characteristic of the program's scores against persons' verdicts; no Qt here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from focusviewer.app.worklist.lines import Line
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.roc import calls, roc


@dataclass(frozen=True)
class RocCurve:
    """A receiver operating characteristic: persons' RESCAN verdicts are the truth.

    Attributes
    ----------
    false_rate, recall : tuple of float (N,)
        Corners of the curve, 0 to 1: part of the other slides, and of the slides to rescan, that a threshold on the
        program's score sends back; from the strictest threshold to the loosest.
    auc : float
        Area under the curve.
    rules : (false_rate, recall)
        Where the program's own RESCAN verdicts lie.
    slides, rescans : int
        How many slides were judged by a person and by the program, and how many of them are to be scanned again.
    """

    false_rate: tuple[float, ...]
    recall: tuple[float, ...]
    auc: float
    rules: tuple[float, float]
    slides: int
    rescans: int


def roc_curve(lines: Iterable[Line]) -> RocCurve | None:
    """The curve of the slides that the reader may see and that both a person and the program have judged.

    None unless there are slides to rescan and others among them.
    """
    judged = [(line.result.judgement, line.person.verdict) for line in lines if line.result and line.person]
    truth = [verdict is Verdict.RESCAN for _, verdict in judged]
    if len(set(truth)) < 2:
        return None
    curve = roc([judgement.score for judgement, _ in judged], truth)
    made = calls([judgement.verdict for judgement, _ in judged], truth)
    return RocCurve(
        tuple(curve.false_rate.tolist()),
        tuple(curve.recall.tolist()),
        curve.auc,
        (made.false_rate, made.recall),
        len(truth),
        sum(truth),
    )
