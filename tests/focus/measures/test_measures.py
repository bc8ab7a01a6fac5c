from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.focus.measures import HALO, MEASURES, STRIDE, WINDOW, MeasureModel, to_gray
from focusviewer.focus.measures.edges import edge_widths
from focusviewer.focus.measures.spectral import analysis, dct_matrix
from tests.focus.doubles import blur

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


def test_contrast_follows_its_equation(picture: RGB) -> None:
    cut = picture[: WINDOW + 2 * HALO, : WINDOW + 2 * HALO]
    gray = to_gray(cut).astype(float)
    near = [np.roll(gray, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    total = sum(np.abs(gray - moved) for moved in near)[HALO:-HALO, HALO:-HALO]
    assert _model("contrast").score_with_halo(cut).scores[0, 0] == pytest.approx(-np.log(total.mean()), rel=1e-4)


def test_cosine_and_wavelet_bases_keep_energy() -> None:
    basis = dct_matrix(8).astype(float)
    np.testing.assert_allclose(basis @ basis.T, np.eye(8), atol=1e-6)
    low, high = (part.astype(float) for part in analysis(64))
    np.testing.assert_allclose((low @ low.T)[4:-4, 4:-4], np.eye(24), atol=1e-6)
    np.testing.assert_allclose((high @ low.T)[4:-4], 0, atol=1e-6)
    np.testing.assert_allclose((high @ np.arange(64.0))[2:-2], 0, atol=1e-4)


def test_edge_widths_are_those_of_a_drawn_ramp() -> None:
    gray = np.full((1, 64, 64), 0.2, np.float32)
    gray[:, :, 30:] = 0.8
    gray[:, :, 26:31] = np.linspace(0.2, 0.8, 5)
    edge, width = edge_widths(gray)
    assert set(width[edge]) == {4.0}


def test_spectrum_slope_finds_the_exponent_of_noise(rng: np.random.Generator) -> None:
    frequency = np.hypot(np.fft.fftfreq(WINDOW)[:, None], np.fft.rfftfreq(WINDOW)[None])
    frequency[0, 0] = 1
    for exponent in (1.0, 2.0, 3.0):
        white = np.fft.rfft2(rng.standard_normal((WINDOW, WINDOW)))
        noise = np.fft.irfft2(white * frequency ** (-exponent / 2), (WINDOW, WINDOW))
        gray = np.pad((0.5 + 0.1 * noise / noise.std()).astype(np.float32), HALO, mode="edge")
        measure = _model("power-spectrum-slope").measure
        assert np.log(measure.sharpness(gray, 1, 1)[0, 0]) == pytest.approx(-exponent, abs=0.2)
