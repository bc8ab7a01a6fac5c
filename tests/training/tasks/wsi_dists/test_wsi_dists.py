from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from focusviewer.metrics import dists_form
from focusviewer.training.data.sources import Source
from focusviewer.training.data.stack_bank import StackBank, spread_planes
from focusviewer.training.lab import LabConfig, train
from focusviewer.training.tasks.wsi_dists import distance as wsi_dists
from focusviewer.training.tasks.wsi_dists import features as wsi_features
from focusviewer.training.tasks.wsi_dists.distance import (
    CHANNELS,
    WsiDists,
    WsiDistsSettings,
    WsiDistsTask,
    equal_weights,
)
from focusviewer.training.tasks.wsi_dists.features import FeatureSettings, FeatureTask, WsiFeatures, folded


@pytest.fixture
def network() -> WsiFeatures:
    torch.manual_seed(3)
    return WsiFeatures().eval().requires_grad_(False)


@pytest.fixture
def weights() -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.softmax(torch.randn(2 * sum(CHANNELS), generator=generator), 0).view(2, -1)


def _pictures(seed: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def extractor(network: WsiFeatures) -> Callable[[np.ndarray], list[np.ndarray]]:
    """The network as the metric takes it: from an image float64 (H, W, 3) in 0..1 to maps float64 (h, w, C)."""

    def extract(image: np.ndarray) -> list[np.ndarray]:
        pixels = image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)
        batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32))[None]
        with torch.no_grad():
            return [layer[0].permute(1, 2, 0).double().numpy() for layer in network(batch)]

    return extract


def by_layer(weights: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    """Alpha and beta of each layer, as the metric takes them."""
    parts = [part.double().numpy() for part in torch.split(weights, list(CHANNELS), dim=1)]
    return [(alpha, beta) for alpha, beta in parts]


def test_equal_pictures_are_at_distance_zero_and_others_further(network: WsiFeatures, weights: torch.Tensor) -> None:
    distance = WsiDists(network, weights)
    first, second = _pictures(1), _pictures(2)
    assert distance(first, first).abs().max() < 1e-5
    near, far = distance(first, first + 0.02 * second), distance(first, second)
    assert (near > 1e-5).all()
    assert (far > near).all()
    assert torch.allclose(distance(second, first), far, atol=1e-5)


def test_the_loss_is_the_metric(network: WsiFeatures, weights: torch.Tensor) -> None:
    distance = WsiDists(network, weights)
    first, second = _pictures(5), _pictures(6)
    for row, value in enumerate(distance(first, second).tolist()):
        images = [batch[row].permute(1, 2, 0).double().numpy() for batch in (first, second)]
        expected = dists_form(*images, extractor(network), by_layer(weights))
        assert value == pytest.approx(expected, abs=2e-4)


def test_the_plain_form_is_the_metric_without_weights(network: WsiFeatures) -> None:
    first, second = _pictures(7, 1), _pictures(8, 1)
    images = [batch[0].permute(1, 2, 0).double().numpy() for batch in (first, second)]
    value = float(WsiDists(network, equal_weights())(first, second))
    # Without weights the metric counts layers alike, and so do equal weights.
    assert value == pytest.approx(dists_form(*images, extractor(network)), abs=2e-4)
    assert float(equal_weights().sum()) == pytest.approx(1)


def test_the_distance_has_gradients_towards_the_reference(network: WsiFeatures, weights: torch.Tensor) -> None:
    distance = WsiDists(network, weights)
    wanted = _pictures(9)
    made = (wanted + 0.1 * _pictures(10)).requires_grad_()
    before = distance(made, wanted).sum()
    (slope,) = torch.autograd.grad(before, made)
    assert distance(made.detach() - 0.5 * slope, wanted).sum() < before


def test_folding_normalisation_into_convolutions_changes_nothing() -> None:
    torch.manual_seed(1)
    network = WsiFeatures(normalised=True)
    network(_pictures(1, 4))  # running statistics that are not the usual ones
    network.eval()
    for before, after in zip(network(_pictures(2)), folded(network)(_pictures(2)), strict=True):
        assert torch.allclose(before, after, atol=1e-4)


def test_no_class_is_judged_by_what_it_learned_from() -> None:
    rng = np.random.default_rng(1)
    large = rng.integers(0, 256, (500, 600, 3)).astype(np.uint8)
    series = [Source(f"patches/bbbc038/c_{k}.png", np.full((64, 64, 3), k, np.uint8)) for k in range(8)]
    sources = [Source("large.png", large), Source("small.png", large[:100]), *series]
    classes = {item.name: item for item in wsi_features.tissue_classes(sources, 96)}
    assert set(classes) == {"large.png", "bbbc038"}
    both = np.concatenate([classes["large.png"].train[0], classes["large.png"].held_out[0]], axis=1)
    assert np.array_equal(both, large)
    learned, judged = (
        {int(image[0, 0, 0]) for image in part} for part in (classes["bbbc038"].train, classes["bbbc038"].held_out)
    )
    assert learned | judged == set(range(8))
    assert not learned & judged


def test_feature_training_writes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    sources = [Source(f"{k}.png", rng.integers(0, 60 + 90 * k, (480, 480, 3)).astype(np.uint8)) for k in range(2)]
    monkeypatch.setattr(wsi_features, "load_sources", lambda folder, split: sources)
    task = FeatureTask(tmp_path, FeatureSettings(crop_px=32, held_out=2))
    train(task, LabConfig(steps=2, batch=4, validations=1, device="cpu"), tmp_path / "out")
    features = wsi_features.load_features(tmp_path / "out" / "wsi-features.safetensors")(_pictures(1))
    assert [layer.shape[1] for layer in features] == list(wsi_features.WIDTHS)
    assert "told right" in (tmp_path / "out" / "wsi-features.md").read_text()


def test_fitted_weights_follow_focus_better_than_equal_ones(
    tmp_path: Path, network: WsiFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    z_um = np.stack([spread_planes(5, 4.0, rng) for _ in range(8)])
    grain = rng.normal(0, 60, (8, 1, 16, 16, 3))
    # Contrast fades with distance from focus, and a brightness that has nothing to do with it changes as well.
    pictures = 128 + grain / (1 + np.abs(z_um))[..., None, None, None] + rng.normal(0, 25, (8, 5, 1, 1, 1))
    pixels = np.clip(pictures, 0, 255).astype(np.uint8)
    bank = StackBank(pixels, pixels, z_um, np.arange(8, dtype=np.int32))
    monkeypatch.setattr(wsi_dists, "stack_bank", lambda folder, split, config: bank)
    monkeypatch.setattr(wsi_dists, "load_features", lambda path=None: network)
    task = WsiDistsTask(tmp_path, WsiDistsSettings(pairs=96, held_out=96))
    train(
        task,
        LabConfig(steps=150, batch=64, learning_rate=0.05, clip=0.0, validations=2, device="cpu"),
        tmp_path / "out",
    )
    figures = task.validate()
    assert figures["srcc"] > figures["srcc_equal"]
    fitted = wsi_dists.load_wsi_dists(tmp_path / "out" / "wsi-dists.safetensors")
    assert float(fitted.weights.sum()) == pytest.approx(1, abs=1e-5)
    assert float(fitted.weights.min()) >= 0


def test_the_shipped_distance_grows_with_blur() -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(3)
    sharp = np.clip(0.6 + gaussian_filter(rng.standard_normal((96, 96, 3)), (1, 1, 0)), 0, 1)
    planes = [
        torch.from_numpy(gaussian_filter(sharp, (s, s, 0)).transpose(2, 0, 1).astype(np.float32))[None]
        for s in (0.01, 1, 2, 3)
    ]
    distance = wsi_dists.load_wsi_dists()
    values = [float(distance(planes[0], plane)) for plane in planes]
    assert values == sorted(values)
    assert values[0] < 1e-5 < values[1]
