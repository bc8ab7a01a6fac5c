from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus.knowledge import detector, hifst
from focusviewer.focus.knowledge.detector import BACKGROUND, BLURRED, SHARP, DetectorCurve, Evidence, HiFST, classify
from focusviewer.focus.knowledge.edge_sharpness import box_sums, sharpness
from tests.focus.doubles import blur, tissue_picture


@pytest.fixture(scope="module")
def field() -> RGB:
    return tissue_picture(512, 448, seed=6)


@pytest.fixture(scope="module")
def half_blurred(field: RGB) -> RGB:
    """Out of focus from the middle on."""
    picture = field.copy()
    picture[:, 256:] = blur(field, 3.0)[:, 256:]
    return picture


@pytest.fixture(scope="module")
def curve() -> DetectorCurve:
    unit = np.ones(hifst.LAYERS, np.float32)
    return DetectorCurve(np.full(8, 0.6), hifst.LayerRange(0 * unit, 0.05 * unit))


def test_layers_are_the_sorted_cosine_coefficients_of_the_patches(rng: np.random.Generator) -> None:
    from scipy.fft import dctn

    gray = rng.random((2 * hifst.REACH + 9, 2 * hifst.REACH + 17)).astype(np.float32)
    layers = hifst.sorted_layers(gray, 2, 3)
    gradient = hifst.gradient_magnitude(gray)
    y, x = hifst.REACH - 2 + hifst.STEP, hifst.REACH - 2 + 2 * hifst.STEP
    expected = []
    for side in hifst.SIDES:
        half = side // 2
        patch = dctn(gradient[y - half : y + half + 1, x - half : x + half + 1], norm="ortho")
        u, v = np.mgrid[:side, :side]
        expected.append(np.abs(patch[u + v >= side]))
    np.testing.assert_allclose(layers[1, 2], np.sort(np.concatenate(expected))[: hifst.LAYERS], atol=1e-5)


def test_the_gradient_of_a_slope_is_its_steepness() -> None:
    gray = np.tile(np.arange(40, dtype=np.float32) * 0.01, (30, 1))
    np.testing.assert_allclose(hifst.gradient_magnitude(gray), 0.01, rtol=1e-3)


def test_local_entropy_counts_gray_levels(rng: np.random.Generator) -> None:
    values = (rng.integers(0, 5, (9, 8)) / 255).astype(np.float32)
    entropy = hifst.local_entropy(values)
    _, counts = np.unique(values[2:9, 1:8], return_counts=True)
    share = counts / 49
    assert entropy.shape == (3, 2)
    assert entropy[2, 1] == pytest.approx(-(share * np.log2(share)).sum(), rel=1e-5)


def test_the_domain_transform_smooths_noise_and_keeps_edges(rng: np.random.Generator) -> None:
    step = np.repeat(np.array([0.2, 0.8], np.float32), 30)[None].repeat(40, axis=0)
    smoothed = hifst.domain_transform((step + rng.normal(0, 0.02, step.shape)).astype(np.float32))
    assert smoothed[:, :25].std() < 0.012 and smoothed[:, 35:].std() < 0.012
    assert smoothed[:, 31].mean() - smoothed[:, 28].mean() > 0.5
    np.testing.assert_allclose(hifst.domain_transform(np.full((5, 6), 0.3, np.float32)), 0.3, rtol=1e-5)


def test_the_map_is_dark_where_the_picture_is_blurred(half_blurred: RGB) -> None:
    dark = hifst.blur_map(detector.normalised_gray(half_blurred))
    assert dark.shape == (56, 64) and dark.min() == 0 and dark.max() == pytest.approx(255)
    assert dark[:, :26].mean() > 2 * dark[:, 38:].mean()


def _edge(direction: str, width: float) -> np.ndarray:
    y, x = np.mgrid[:192, :192] - 95.5
    away = {"x": x, "y": y, "falling": (x + y) / np.sqrt(2), "rising": (x - y) / np.sqrt(2)}[direction]
    return (0.5 + 0.3 * np.tanh(away / max(width, 1e-3))).astype(np.float32)


@pytest.mark.parametrize("direction", ["x", "y", "falling", "rising"])
def test_sharp_edges_of_any_direction_count_and_soft_ones_do_not(direction: str) -> None:
    assert sharpness(_edge(direction, 0), 64, 32)[2, 2] > 0.8
    assert sharpness(_edge(direction, 8), 64, 32)[2, 2] < 0.2


def test_windows_without_edges_are_not_sharp() -> None:
    assert sharpness(np.full((64, 96), 0.4, np.float32), 64, 32).tolist() == [[0, 0]]


def test_box_sums_are_those_of_the_windows(rng: np.random.Generator) -> None:
    maps = rng.random((2, 70, 100))
    sums = box_sums(maps, 64, 32)
    assert sums.shape == (2, 1, 2)
    assert sums[1, 0, 1] == pytest.approx(maps[1, :64, 32:96].sum())


def test_windows_are_blurred_only_below_the_curve_and_off_the_background(curve: DetectorCurve) -> None:
    v = np.array([[20, 20, 80, 81, 20]], np.float32)
    si = np.array([[0.5, 0.7, 0.5, 0.5, 0.5]], np.float32)
    bright = np.array([[100, 100, 100, 100, 171]], np.float32)
    assert classify(Evidence(v, si, bright), curve).tolist() == [[BLURRED, SHARP, BLURRED, SHARP, BACKGROUND]]


def test_brightness_is_brought_to_one_scale(field: RGB) -> None:
    dim = (field * 0.7).astype(np.uint8)
    difference = detector.normalised_gray(dim) - detector.normalised_gray(field)
    assert abs(difference).mean() < 0.02


def test_empty_glass_does_not_change_how_tissue_is_normalised(field: RGB) -> None:
    on_glass = np.concatenate([field, np.full_like(field, 243)], axis=1)
    gray = detector.normalised_gray(on_glass)
    np.testing.assert_allclose(gray[:, : field.shape[1]], detector.normalised_gray(field), atol=1e-3)
    assert gray[:, field.shape[1] :].mean() * 255 > detector.BACKGROUND_LEVEL


def test_the_detector_finds_the_blurred_half(half_blurred: RGB, curve: DetectorCurve) -> None:
    labels = detector.detect(half_blurred, curve)
    assert labels.shape == (13, 15) and labels.dtype == np.uint8
    assert (labels[:, :6] == SHARP).mean() > 0.85  # windows that end at the middle
    assert (labels[:, 9:] == BLURRED).mean() > 0.85


def test_an_image_that_is_blurred_everywhere_escapes_it(field: RGB, half_blurred: RGB, curve: DetectorCurve) -> None:
    everywhere = detector.evidence(blur(field, 3.0)).v
    in_part = detector.evidence(half_blurred).v[:, 9:]
    assert (everywhere > detector.MAX_V).mean() > (in_part > detector.MAX_V).mean() + 0.3


def test_labels_come_with_the_places_of_their_windows(half_blurred: RGB, curve: DetectorCurve) -> None:
    labels, boxes = detector.label_windows(half_blurred, curve)
    grid = detector.detect(half_blurred, curve)
    assert boxes.shape == (labels.size, 4)
    x, y, width, height = boxes[17].tolist()
    assert (width, height) == (64, 64) and labels[17] == grid[y // 32, x // 32]


def test_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match="smaller than a window"):
        detector.detect(np.zeros((60, 200, 3), np.uint8))


def test_the_score_needs_no_comparison_within_the_image(field: RGB, curve: DetectorCurve) -> None:
    model = HiFST(curve)
    scores = [model.score(field if sigma == 0 else blur(field, sigma)) for sigma in (0, 1.5, 3)]
    assert scores == sorted(scores) and scores[2] > scores[0] + 0.2


def test_curves_survive_the_file_and_broken_ones_are_told(tmp_path: Path, curve: DetectorCurve) -> None:
    import json

    path = tmp_path / "hifst.json"
    path.write_text(json.dumps(curve.to_json()))
    read = detector.load_curve(path)
    np.testing.assert_allclose(read.thresholds, curve.thresholds)
    np.testing.assert_allclose(read.layers.high, curve.layers.high)
    path.write_text('{"si_thresholds": [1]}')
    with pytest.raises(UserError, match="classical detector"):
        detector.load_curve(path)
