"""How well verdicts agree with the truth on a batch of simulated slides, and which thresholds would agree best."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.errors import UserError
from focusviewer.evaluation.qc_trial.slides import KINDS, TrialSlide
from focusviewer.focus.mapping.store import load_map
from focusviewer.qc.reports.page import write_report
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import Verdict, judgement_of
from focusviewer.qc.verdicts.roc import roc
from focusviewer.qc.verdicts.rules import Rules, Thresholds
from focusviewer.qc.worklist.records import SlideRow
from focusviewer.qc.worklist.store import Worklist
from focusviewer.qc.worklist.summary import QcSummary

BLURRED_UM = tuple(np.round(np.arange(0.5, 2.55, 0.1), 2).tolist())
WORST_UM = (1.6, 1.7, 1.75, 1.8, 1.85, 1.9, 2.0, 2.2)
FRACTIONS = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2)


@dataclass(frozen=True)
class TrialFigures:
    """Verdicts against the truth of a batch.

    Attributes
    ----------
    files, judged, failed, unaccounted : int
        Files made; slides with a verdict; failures with a reason; files that are neither (must be 0).
    recall, precision : float
        Of RESCAN; NaN where there is nothing to find, or nothing was found.
    auc : float
        Area under the ROC of the score that ranks the worklist.
    kinds : mapping of kind to mapping of verdict to int
        What became of each kind of slide.
    wrong : list of str
        Slides called wrongly.
    """

    files: int
    judged: int
    failed: int
    unaccounted: int
    recall: float
    precision: float
    auc: float
    slides_per_hour: float
    rules: str
    kinds: dict[str, dict[str, int]]
    wrong: list[str]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return asdict(self)


def trial_figures(trials: Sequence[TrialSlide], summary: QcSummary, rows: Iterable[SlideRow]) -> TrialFigures:
    """Compare a finished batch with the truth; slides that failed count as not found."""
    verdicts, scores = {}, {}
    for row in rows:
        if row.result is not None:
            verdicts[row.facts.path.name] = row.result.judgement.verdict
            scores[row.facts.path.name] = row.result.judgement.score
    failed = {failure.path.name for failure in summary.failures}
    kinds: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for trial in trials:
        became = verdicts[trial.name].value if trial.name in verdicts else "failed"
        kinds[trial.kind][became] = kinds[trial.kind].get(became, 0) + 1
    called = np.array([verdicts.get(trial.name) == Verdict.RESCAN for trial in trials])
    wanted = np.array([trial.rescan for trial in trials])
    readable = [trial for trial in trials if trial.name in scores]
    recall, precision = recall_precision(called, wanted)
    return TrialFigures(
        len(trials),
        len(verdicts),
        len(failed),
        sum(trial.name not in verdicts and trial.name not in failed for trial in trials),
        recall,
        precision,
        roc([scores[trial.name] for trial in readable], [trial.rescan for trial in readable]).auc,
        summary.slides_per_hour,
        next((row.result.judgement.rules for row in rows if row.result is not None), ""),
        kinds,
        [trial.name for trial, one, other in zip(trials, called, wanted, strict=True) if one != other],
    )


def recall_precision(called: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Part of the wanted that was called, and part of the called that was wanted."""
    right = int((called & wanted).sum())
    recall = right / int(wanted.sum()) if wanted.any() else float("nan")
    return recall, right / int(called.sum()) if called.any() else float("nan")


@dataclass(frozen=True)
class Setting:
    """One choice of thresholds, and how it does."""

    blurred_um: float
    rescan_blurred_fraction: float
    rescan_worst_decile_um: float
    recall: float
    precision: float
    margin: float


def tune(trials: Sequence[TrialSlide], worklist: Worklist, rules: Rules) -> list[Setting]:
    """Every choice of what sends a slide back, the best first; tried on the maps that were stored.

    The best finds most with least false alarms; of equals, the one whose part lies farthest between the least blurred
    slide to find and the most blurred one to leave alone. Thresholds must be chosen on other seeds than those they are
    evaluated on.
    """
    maps = {row.facts.path.name: load_map(worklist.folder / row.result.folder / "map.npz")
            for row in worklist.slides() if row.result is not None}  # fmt: skip
    readable = [trial for trial in trials if trial.name in maps]
    wanted = np.array([trial.rescan for trial in readable])
    found = []
    for blurred_um in BLURRED_UM:
        features = [slide_features(maps[trial.name], blurred_um) for trial in readable]
        parts = np.array([item.blurred_fraction if item.absolute else 0.0 for item in features])
        low, high = parts[~wanted].max(initial=0.0), parts[wanted].min(initial=1.0)
        for fraction, worst_um in itertools.product(FRACTIONS, WORST_UM):
            tried = Rules(thresholds=_scaled(rules.thresholds, blurred_um, fraction, worst_um))
            called = np.array([judgement_of(item, tried).verdict == Verdict.RESCAN for item in features])
            recall, precision = recall_precision(called, wanted)
            margin = float(min(high - fraction, fraction - low))
            found.append(Setting(blurred_um, fraction, worst_um, recall, precision, margin))
    return sorted(found, key=lambda s: (-np.nan_to_num(s.recall + s.precision), -s.margin))


def _scaled(limits: Thresholds, blurred_um: float, fraction: float, worst_um: float) -> Thresholds:
    """The other thresholds of the same rules, in step: a review stays below a rescan."""
    return replace(
        limits,
        blurred_um=blurred_um,
        rescan_blurred_fraction=fraction,
        review_blurred_fraction=min(limits.review_blurred_fraction, fraction / 2),
        rescan_worst_decile_um=worst_um,
        review_worst_decile_um=min(limits.review_worst_decile_um, worst_um),
    )


def run_trial(
    folder: Path,
    trials: Sequence[TrialSlide],
    run_batch: Callable[[], QcSummary],
    rules: Rules,
    *,
    tuning: bool = False,
) -> tuple[TrialFigures, list[Setting]]:
    """Run ``qc`` on the slides, and compare; writes ``report.html`` again, with the ROC.

    Raises
    ------
    UserError
        If a batch cannot run.
    """
    summary = run_batch()
    with Worklist(summary.worklist) as worklist:
        rows = worklist.slides()
        if not rows:
            raise UserError(f"No slide of {folder} could be judged")
        truth = {str((folder / trial.name).absolute()): trial.rescan for trial in trials if trial.kind != "broken"}
        write_report(worklist, worklist.folder / "report.html", rules, truth)
        return trial_figures(trials, summary, rows), tune(trials, worklist, rules) if tuning else []
