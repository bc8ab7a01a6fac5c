from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from focusviewer import metrics


@pytest.fixture
def texture(rng: np.random.Generator) -> np.ndarray:
    """A grainy colour image whose left half is nearly flat: uint8 (200, 224, 3)."""
    grain = gaussian_filter(rng.standard_normal((200, 224, 3)), (1, 1, 0))
    grain[:, :112] *= 0.02
    return np.clip(150 + 140 * grain, 0, 255).astype(np.uint8)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(image, (sigma, sigma, 0))


# Agreement


def test_rank_correlation_agrees_with_scipy_on_ties(rng: np.random.Generator) -> None:
    scores, truth = rng.integers(0, 9, 200), rng.integers(0, 5, 200)
    assert metrics.srcc(scores, truth) == pytest.approx(spearmanr(scores, truth).statistic, abs=1e-12)


def test_correlations_have_their_hand_computed_values() -> None:
    truth = [1, 2, 3, 4]
    assert metrics.krcc([1, 3, 2, 4], truth) == pytest.approx((5 - 1) / 6)
    assert metrics.srcc([1, 3, 2, 4], truth) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert metrics.plcc([1, 2, 3, 6], truth) == pytest.approx(8 / np.sqrt(14 * 5))
    assert metrics.mae([1, 2, 3, 6], truth, unit=0.25) == pytest.approx(0.125)


@pytest.mark.parametrize("figure", [metrics.srcc, metrics.plcc, metrics.krcc, metrics.plcc_logistic])
def test_constant_scores_have_no_correlation(figure: object) -> None:
    assert np.isnan(figure([2, 2, 2], [1, 2, 3]))  # type: ignore[operator]


def test_scores_that_are_no_numbers_are_refused_not_left_out() -> None:
    with pytest.raises(ValueError, match="finite"):
        metrics.srcc([1, np.nan, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="2 scores for 3"):
        metrics.mae([1, 2], [1, 2, 3])


@pytest.mark.parametrize("parameters", [4, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_logistic_curve_straightens_a_bent_scale(parameters: int, sign: int) -> None:
    scores = sign * np.linspace(-1000, 5000, 80)
    truth = 4 / (1 + np.exp(-(sign * scores - 2000) / 200))
    assert abs(metrics.plcc(scores, truth)) < 0.95
    assert metrics.plcc_logistic(scores, truth, parameters) == pytest.approx(1.0, abs=1e-3)
    assert metrics.plcc_logistic(2 * scores + 1, scores, parameters) == pytest.approx(1.0, abs=1e-3)


# Detection


def test_areas_under_curves_have_their_hand_computed_values() -> None:
    scores, blurry = [0.1, 0.4, 0.35, 0.8], [False, False, True, True]
    assert metrics.roc_auc(scores, blurry) == pytest.approx(3 / 4)
    assert metrics.pr_auc(scores, blurry) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics.roc_auc([1, 1, 1, 1], blurry) == 0.5
    assert metrics.pr_auc([1, 1, 1, 1], blurry) == 0.5
    assert np.isnan(metrics.roc_auc(scores, [True] * 4))
    assert np.isnan(metrics.pr_auc(scores, [False] * 4))


def test_area_under_the_roc_curve_is_the_curve_s_area(rng: np.random.Generator) -> None:
    blurry = rng.random(300) < 0.4
    scores = (rng.normal(size=300) + blurry).round(1)
    levels = np.unique(scores)[::-1]
    hits = [0.0] + [float((scores[blurry] >= level).mean()) for level in levels]
    alarms = [0.0] + [float((scores[~blurry] >= level).mean()) for level in levels]
    assert metrics.roc_auc(scores, blurry) == pytest.approx(np.trapezoid(hits, alarms))


def test_detection_counts_and_their_ratios() -> None:
    counts = metrics.detection([1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0])
    assert counts == metrics.Detection(2, 1, 1, 3)
    assert counts.precision == counts.recall == counts.f1 == pytest.approx(2 / 3)
    assert counts.accuracy == pytest.approx(5 / 7)
    assert np.isnan(metrics.detection([0, 0], [0, 0]).f1)


# Intervals


def test_the_interval_of_a_mean_is_as_wide_as_theory_says(rng: np.random.Generator) -> None:
    values = rng.normal(3, 2, 400)
    low, high = metrics.bootstrap_interval(np.mean, np.arange(400), values, n=2000)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / np.sqrt(400), rel=0.12)


def test_samples_of_one_slide_do_not_count_as_independent(rng: np.random.Generator) -> None:
    slides = np.repeat(np.arange(20), 50)
    values = rng.normal(size=20)[slides] + 0.1 * rng.normal(size=1000)
    by_slide = metrics.bootstrap_interval(np.mean, slides, values)
    by_sample = metrics.bootstrap_interval(np.mean, np.arange(1000), values)
    assert by_slide.high - by_slide.low > 4 * (by_sample.high - by_sample.low)
    assert by_slide == metrics.bootstrap_interval(np.mean, slides, values)


def test_two_slides_tell_no_spread() -> None:
    assert np.isnan(metrics.bootstrap_interval(np.mean, ["a", "a", "b"], [1.0, 2.0, 3.0])).all()


# Images


def test_psnr_and_ssim_agree_with_scikit_image(texture: np.ndarray) -> None:
    soft = blurred(texture, 1.2)
    assert metrics.psnr(soft, texture) == pytest.approx(peak_signal_noise_ratio(texture, soft), abs=1e-9)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(soft, texture, channel_axis=-1, data_range=255, **options)
    assert metrics.ssim(soft, texture) == pytest.approx(expected, abs=1e-9)
    assert metrics.ssim(soft / 255, texture / 255) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("figure", [metrics.ssim, metrics.ms_ssim, metrics.iw_ssim])
def test_similarity_is_one_for_equal_images_and_falls_with_blur(figure: object, texture: np.ndarray) -> None:
    values = [figure(blurred(texture, sigma), texture) for sigma in (0, 0.7, 1.2, 2.5)]  # type: ignore[operator]
    assert values[0] == pytest.approx(1.0)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.9
    with pytest.raises(ValueError, match="too small"):
        figure(texture[:9, :9], texture[:9, :9])  # type: ignore[operator]
    with pytest.raises(ValueError, match="cannot be compared"):
        figure(texture, texture[:-1])  # type: ignore[operator]


def test_flat_images_differ_by_luminance_at_the_coarsest_scale_alone() -> None:
    dark, bright = np.full((192, 192, 3), 0.3), np.full((192, 192, 3), 0.6)
    luminance = (2 * 0.3 * 0.6 + 1e-4) / (0.3**2 + 0.6**2 + 1e-4)
    assert metrics.ms_ssim(dark, bright) == pytest.approx(luminance**0.1333)
    c1 = 1e-4 / 16**2  # the pyramid of IW-SSIM doubles its values at each scale
    luminance = (2 * 0.3 * 0.6 + c1) / (0.3**2 + 0.6**2 + c1)
    assert metrics.iw_ssim(dark, bright) == pytest.approx(luminance**0.1333, abs=1e-6)


def test_information_weights_look_where_the_structure_is(texture: np.ndarray, rng: np.random.Generator) -> None:
    busy, flat = texture.copy(), texture.copy()
    busy[:, 112:] = blurred(texture, 1.0)[:, 112:]
    # Noise on the flat half that costs plain SSIM more than the blur costs on the busy half.
    noise = rng.normal(0, 12, texture[:, :112].shape)
    flat[:, :112] = np.clip(texture[:, :112] + noise, 0, 255).astype(np.uint8)
    assert metrics.ssim(flat, texture) < metrics.ssim(busy, texture)
    assert metrics.iw_ssim(flat, texture) - metrics.ssim(flat, texture) > 0.1
    assert metrics.iw_ssim(busy, texture) < metrics.ssim(busy, texture) + 0.1


def test_dists_form_has_its_hand_computed_value() -> None:
    first, second = np.array([[0.0, 1.0]]), np.array([[0.0, 0.5]])
    luminance = 2 * 0.5 * 0.25 / (0.25 + 0.0625)
    structure = 2 * 0.125 / (0.25 + 0.0625)
    distance = metrics.dists_form(first, second, features=lambda image: [])
    assert distance == pytest.approx(1 - (luminance + structure) / 2, abs=1e-4)
    weights = [([1.0], [0.0])]
    assert metrics.dists_form(first, second, lambda image: [], weights) == pytest.approx(1 - luminance, abs=1e-4)


def test_dists_form_is_symmetric_and_takes_any_extractor(texture: np.ndarray) -> None:
    soft = blurred(texture, 1.0)
    assert metrics.dists_form(texture, texture) == pytest.approx(0, abs=1e-12)
    assert metrics.dists_form(soft, texture) == pytest.approx(metrics.dists_form(texture, soft))
    assert 0 < metrics.dists_form(soft, texture) < metrics.dists_form(blurred(texture, 2.0), texture)
    edges = metrics.dists_form(soft, texture, features=lambda image: [np.abs(np.diff(image, axis=1))])
    assert edges > metrics.dists_form(soft, texture, features=lambda image: [])
