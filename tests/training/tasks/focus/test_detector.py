from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.focus.knowledge.detector import BACKGROUND, BLURRED, SHARP, Evidence, load_curve
from focusviewer.training.tasks.focus import detector as training
from focusviewer.training.tasks.focus.detector import Field, Truth, detection_figures, fit_thresholds, train_detector


def _evidence(v: np.ndarray, si: np.ndarray) -> Evidence:
    return Evidence(v.astype(np.float32), si.astype(np.float32), np.full(v.shape, 100, np.float32))


def _truth(blurred: np.ndarray) -> Truth:
    return Truth(blurred, np.ones(blurred.shape, bool))


def test_thresholds_separate_what_can_be_separated(rng: np.random.Generator) -> None:
    v = rng.uniform(0, 80, (60, 60))
    edge = 0.3 + v / 100
    si = rng.uniform(0, 2, v.shape)
    thresholds = fit_thresholds([_evidence(v, si)], [_truth(si < edge)])
    assert thresholds.shape == (8,)
    np.testing.assert_allclose(thresholds, 0.3 + (np.arange(8) + 0.5) / 10, atol=0.12)


def test_groups_without_examples_take_their_neighbours_threshold(rng: np.random.Generator) -> None:
    v, si = rng.uniform(20, 30, (30, 30)), rng.uniform(0, 2, (30, 30))
    thresholds = fit_thresholds([_evidence(v, si)], [_truth(si < 0.7)])
    assert len(set(thresholds.tolist())) == 1 and abs(thresholds[0] - 0.7) < 0.02


def test_background_and_glass_do_not_teach_anything() -> None:
    nothing = Truth(np.ones((20, 20), bool), np.zeros((20, 20), bool))
    with pytest.raises(UserError, match="too few windows"):
        fit_thresholds([_evidence(np.full((20, 20), 5.0), np.ones((20, 20)))], [nothing])


def test_figures_count_missed_tissue_against_the_detector() -> None:
    labels = np.array([[BLURRED, BLURRED, SHARP, BACKGROUND, BACKGROUND]], np.uint8)
    truth = Truth(np.array([[True, False, True, True, True]]), np.array([[True, True, True, True, False]]))
    figures = detection_figures([labels], [truth])
    assert figures.precision == 0.5 and figures.recall == pytest.approx(1 / 3) and figures.accuracy == 0.25
    assert figures.f1 == pytest.approx(0.4)


def _small_fields(data: Path, split: str, count: int, seed: int, *, everywhere: bool = False) -> Iterator[Field]:
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        texture = rng.integers(60, 200, (512, 512, 1)).astype(np.uint8)
        picture = np.concatenate([texture, texture // 2, texture], axis=2)
        mask = np.zeros((512, 512), bool)
        mask[:, 256:] = True
        soft = training._defocus(picture, mask, rng)
        yield Field(soft, mask)


def test_the_detector_is_fitted_and_its_card_tells_held_out_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "fields", _small_fields)
    written = train_detector(tmp_path, tmp_path, count=2)
    assert [path.name for path in written] == ["hifst.json", "hifst.md"]
    curve = load_curve(written[0])
    assert np.isfinite(curve.thresholds).all() and (curve.layers.high > curve.layers.low).all()
    card = written[1].read_text()
    assert "| held out, blurred in parts |" in card and "| held out, sharp or blurred everywhere |" in card
