"""The part of a report on how well the program's scores tell slides that need a rescan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from focusviewer.qc.reports.markup import TEMPLATES
from focusviewer.qc.verdicts.roc import Roc, calls, roc
from focusviewer.qc.worklist.records import Result, SlideRow

SCORES = {
    "score": "score of the rules",
    "blurred_fraction": "blurred part of the tissue",
    "worst_decile_um": "worst tenth of the tissue, um",
    "largest_region_mm2": "largest blurred region, mm2",
}
_SIZE, _LEFT, _TOP = 320, 46, 14  # of the plot, as its template draws it


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
