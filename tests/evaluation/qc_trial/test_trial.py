"""Batches of simulated slides: what is in them, and how verdicts are compared with their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.evaluation.qc_trial.slides import KINDS, TrialSlide, make_trial_slides
from focusviewer.evaluation.qc_trial.trial import recall_precision, trial_figures, tune
from focusviewer.qc.batch.slide_task import write_folder
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import Failure
from focusviewer.qc.worklist.summary import QcSummary
from focusviewer.slides import open_slide
from tests.qc.worklists import focus_map, open_worklist, result_of, thumbnail


def test_a_night_has_every_kind_and_the_truth_and_is_made_once(tmp_path: Path) -> None:
    trials = make_trial_slides(tmp_path, slides=10, seed=5, size=(448, 384))
    assert len(trials) == 10 and {trial.kind for trial in trials} == set(KINDS)
    for trial in trials:
        if trial.kind == "broken":
            with pytest.raises(UserError):
                open_slide(tmp_path / trial.name)
            continue
        with open_slide(tmp_path / trial.name) as slide:
            assert slide.dimensions == (448, 384) and slide.mpp == pytest.approx(0.25)
        assert trial.rescan or trial.kind not in ("whole",)
        assert not (trial.rescan and trial.kind in ("sharp", "slight", "empty"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if not path.is_symlink()}
    assert make_trial_slides(tmp_path, slides=10, seed=5, size=(448, 384)) == trials
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with pytest.raises(UserError, match="other numbers"):
        make_trial_slides(tmp_path, slides=10, seed=6, size=(448, 384))


def test_agreement_counts_failures_as_not_found_and_misses_nothing(tmp_path: Path) -> None:
    trials = [
        TrialSlide("a.tif", "strip", 3.0, 0.5),
        TrialSlide("b.tif", "sharp"),
        TrialSlide("c.tif", "whole", 3.0, 1.0),
        TrialSlide("d.tif", "broken"),
        TrialSlide("lost.tif", "sharp"),
    ]
    rules = Rules()
    with open_worklist(tmp_path) as worklist:
        for number, (name, blur_um) in enumerate((("a.tif", 4.0), ("b.tif", 0.2)), 1):
            found = focus_map(blur_um, 0.5)
            result = result_of(tmp_path / name, number, blur_um, 0.5, rules, found)
            write_folder(tmp_path / result.folder, found, thumbnail(), result, 1.5)
            worklist.record(result)
        failures = (Failure(tmp_path / "c.tif", "why", 2), Failure(tmp_path / "d.tif", "why", 2))
        summary = QcSummary(worklist.path, {Verdict.RESCAN: 1, Verdict.PASS: 1}, 2, 0, failures)
        seen = trial_figures(trials, summary, worklist.slides())
        assert (seen.judged, seen.failed, seen.unaccounted) == (2, 2, 1)
        assert (seen.recall, seen.precision, seen.auc) == (0.5, 1.0, 1.0) and seen.wrong == ["c.tif"]
        best = tune(trials[:2], worklist, rules)[0]
        assert (best.recall, best.precision) == (1.0, 1.0) and best.margin > 0.1


def test_recall_and_precision_are_unknown_where_nothing_is_there() -> None:
    none = np.zeros(3, bool)
    assert np.isnan(recall_precision(none, none)).all()
    assert recall_precision(np.array([True, True, False]), np.array([True, False, False])) == (1.0, 0.5)
