from __future__ import annotations

import numpy as np
import pytest
from focus_doubles import blur

from focusviewer.focus.measures import HALO, MEASURES, STRIDE, WINDOW, MeasureModel, to_gray
from focusviewer.slides import RGB

_IDS = [measure.name for measure in MEASURES]


def _model(name: str) -> MeasureModel:
    return MeasureModel(next(measure for measure in MEASURES if measure.name == name))


@pytest.mark.parametrize("measure", MEASURES, ids=_IDS)
def test_a_window_scores_the_same_alone_and_among_others(measure, picture: RGB) -> None:
    model = MeasureModel(measure)
    whole = model.score_windows(picture).scores
    y, x = 2 * STRIDE, 3 * STRIDE
    alone = picture[y - HALO : y + WINDOW + HALO, x - HALO : x + WINDOW + HALO]
    np.testing.assert_allclose(whole[2, 3], model.score_with_halo(alone).scores[0, 0], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("measure", MEASURES, ids=_IDS)
def test_flat_and_extreme_pictures_give_finite_scores(measure) -> None:
    model = MeasureModel(measure)
    for value in (0, 128, 255):
        assert np.isfinite(model.score(np.full((300, 300, 3), value, np.uint8)))


def test_mlv_follows_its_equation(picture: RGB) -> None:
    gray = to_gray(picture[: WINDOW + 2 * HALO, : WINDOW + 2 * HALO]).astype(float)
    centre = gray[HALO:-HALO, HALO:-HALO]
    largest = np.zeros_like(centre)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            near = gray[HALO + dy : HALO + dy + WINDOW, HALO + dx : HALO + dx + WINDOW]
            largest = np.maximum(largest, abs(near - centre))
    score = _model("mlv").score_with_halo(picture[: WINDOW + 2 * HALO, : WINDOW + 2 * HALO]).scores[0, 0]
    assert score == pytest.approx(-np.log(largest.std()), rel=1e-3)


def test_energy_ratio_does_not_depend_on_contrast(picture: RGB) -> None:
    pale = (255 - (255 - picture.astype(float)) / 2).round().astype(np.uint8)
    ratio, variance = _model("energy-ratio"), _model("variance")
    assert abs(ratio.score(pale) - ratio.score(picture)) < 0.05
    assert variance.score(pale) - variance.score(picture) > 1


def test_variance_is_that_of_numpy(picture: RGB) -> None:
    expected = -np.log(to_gray(picture[:WINDOW, :WINDOW]).astype(float).var())
    assert _model("variance").score_windows(picture).scores[0, 0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["mlv", "energy-ratio", "brenner", "tenengrad"])
def test_measures_fall_steadily_with_blur(name: str, picture: RGB) -> None:
    model = _model(name)
    scores = [model.score(blur(picture, sigma) if sigma else picture) for sigma in (0, 0.7, 1.4)]
    assert scores == sorted(scores) and scores[0] < scores[-1]
