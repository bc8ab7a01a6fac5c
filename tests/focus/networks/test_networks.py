from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.focus.networks import NETWORKS, NetworkSpec, entries, network_spec
from focusviewer.focus.networks.eonss import DivisiveNormalisation, HalvingPool
from focusviewer.focus.networks.eonss_strips import EonssModel
from focusviewer.focus.networks.fno import MODES, WINDOW, FourierLayer, Transforms
from focusviewer.focus.networks.mobile import CLASSES, LEVELS_PER_CLASS, MobileClassifier
from focusviewer.focus.networks.model import NetworkModel, for_inference, score_pixels
from focusviewer.focus.networks.weights import load_networks, parameter_count, save_networks
from tests.focus.doubles import tissue_picture

_SIZES = {
    "eonss": 123_401,
    "densenet-13": 193_557,
    "resnet-10": 4_906_305,
    "resnet-50": 23_510_081,
    "resnet-101": 42_502_209,
}
"""Published sizes are 123K, 193K, 4.9M, 24M and 43M."""

_LIGHT = [spec for spec in NETWORKS if spec.name not in ("resnet-50", "resnet-101")]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[NetworkModel, Path]]:
    """Every network with random weights, through a weights file."""
    folder, result = tmp_path_factory.mktemp("networks"), {}
    for spec in _LIGHT:
        torch.manual_seed(3)
        network = spec.make().eval()
        path = folder / f"{spec.name}.safetensors"
        save_networks(path, {0.25: network})
        result[spec.name] = NetworkModel(spec, path), path
    return result


@pytest.mark.parametrize("name", _SIZES)
def test_networks_have_the_published_size(name: str) -> None:
    with torch.device("meta"):
        network = network_spec(name).make()
    assert parameter_count(network) == _SIZES[name]


@pytest.mark.parametrize("spec", _LIGHT, ids=lambda spec: spec.name)
def test_pieces_of_a_picture_score_as_the_whole(spec: NetworkSpec, built) -> None:
    model, _ = built[spec.name]
    window, stride = spec.window_px, spec.stride_px
    picture = np.array(tissue_picture(window + 3 * stride, window + 2 * stride))
    whole = model.score_windows(picture, 0.25)
    assert whole.scores.shape == (3, 4) and whole.scores.dtype == np.float32
    assert np.isfinite(whole.scores).all() and np.ptp(whole.scores) > 0
    part = model.score_windows(picture[stride:, 2 * stride :], 0.25)
    np.testing.assert_array_equal(part.scores, whole.scores[1:, 2:])
    if whole.uncertainty is not None:
        assert part.uncertainty is not None
        np.testing.assert_array_equal(part.uncertainty, whole.uncertainty[1:, 2:])


@pytest.mark.parametrize("spec", _LIGHT, ids=lambda spec: spec.name)
def test_weights_survive_a_round_trip(spec: NetworkSpec, built, tmp_path: Path) -> None:
    model, path = built[spec.name]
    networks, digest = load_networks(path, spec.make)
    again = tmp_path / path.name
    save_networks(again, networks)
    assert again.read_bytes() == path.read_bytes()
    assert model.version.endswith(digest) and model.mpps == (0.25,) and model.parameters() > 100_000


@pytest.mark.parametrize("spec", _LIGHT, ids=lambda spec: spec.name)
def test_the_fast_copy_gives_the_scores_of_the_trained_network(spec: NetworkSpec) -> None:
    torch.manual_seed(5)
    network = spec.make()
    images = torch.rand(2, 3, spec.window_px, spec.window_px)
    with torch.no_grad():
        network.train()(images)  # batch statistics that are not those of the first day
        plain = network.eval().scores_and_uncertainty(network(images))[0]
    fast = score_pixels(for_inference(network), images)[0]
    tolerance = 0.01 if not spec.absolute else 0.25
    torch.testing.assert_close(fast, plain, atol=tolerance, rtol=0.02)


def test_the_registry_lists_them_all_and_says_which_have_weights() -> None:
    listed = entries()
    assert [entry.name for entry in listed] == [spec.name for spec in NETWORKS]
    assert all(entry.trained and entry.available == (entry.weights is not None) for entry in listed)


def test_a_file_of_another_network_is_refused_in_one_line(built) -> None:
    _, path = built["eonss"]
    with pytest.raises(UserError, match=r"eonss.*do not fit"):
        NetworkModel(network_spec("densenet-13"), path)


def test_the_weights_nearest_in_scale_are_used(tmp_path: Path) -> None:
    spec, networks = network_spec("eonss"), {}
    for mpp in (0.25, 0.5):
        torch.manual_seed(int(100 * mpp))
        networks[mpp] = spec.make()
    save_networks(tmp_path / "eonss.safetensors", networks)
    model = NetworkModel(spec, tmp_path / "eonss.safetensors")
    picture = np.array(tissue_picture(235, 235))
    fine, coarse = (float(model.score_windows(picture, mpp).scores[0, 0]) for mpp in (0.25, 0.5))
    assert fine != coarse
    assert fine == float(model.score_windows(picture, 0.27).scores[0, 0])
    assert coarse == float(model.score_windows(picture, 0.45).scores[0, 0])


def test_truncated_transforms_are_those_of_the_fft() -> None:
    transforms, x = Transforms(), torch.randn(2, 3, WINDOW, WINDOW)
    spectrum = torch.fft.rfft2(x, norm="ortho")
    kept = torch.zeros_like(spectrum)
    for rows in (slice(0, MODES), slice(WINDOW - MODES, WINDOW)):
        kept[:, :, rows, :MODES] = spectrum[:, :, rows, :MODES]
    low = torch.fft.irfft2(kept, s=(WINDOW, WINDOW), norm="ortho")
    torch.testing.assert_close(transforms.inverse(transforms(x)), low, atol=1e-5, rtol=1e-5)


def test_fourier_layers_mix_channels_with_complex_weights() -> None:
    torch.manual_seed(1)
    layer, x = FourierLayer(4, Transforms(16, 3)), torch.randn(2, 4, 16, 16)
    weights = torch.complex(*layer.mix.reshape(2, 3, 6, 4, 4))  # x frequency, y frequency, in, out
    spectrum = torch.fft.rfft2(x, norm="ortho")
    mixed = torch.zeros_like(spectrum)
    for place, row in enumerate((0, 1, 2, 13, 14, 15)):
        mixed[:, :, row, :3] = torch.einsum("bik,kio->bok", spectrum[:, :, row, :3], weights[:, place])
    expected = torch.sigmoid(torch.fft.irfft2(mixed, s=(16, 16), norm="ortho") + layer.local(x))
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_divisive_normalisation_follows_its_formula() -> None:
    torch.manual_seed(2)
    layer, x = DivisiveNormalisation(3), torch.randn(1, 3, 2, 2)
    gamma, beta = layer.root_gamma.square(), layer.root_beta.square()
    pool = torch.einsum("ij,bjyx->biyx", gamma, x.square()) + beta[None, :, None, None]
    torch.testing.assert_close(layer(x), x / pool.sqrt(), atol=1e-3, rtol=1e-3)


def test_a_doubtful_answer_has_a_wide_uncertainty() -> None:
    sure, torn = torch.full((1, CLASSES), -30.0), torch.zeros(1, CLASSES)
    sure[0, 3] = 30.0
    score, doubt = MobileClassifier(4).scores_and_uncertainty(torch.cat([sure, torn]))
    assert score.tolist() == pytest.approx([3.5 * LEVELS_PER_CLASS, CLASSES * LEVELS_PER_CLASS / 2])
    assert doubt is not None
    # A flat answer over 20 levels has the entropy of a normal distribution of this spread.
    assert doubt.tolist() == pytest.approx([0.484, 4.84], abs=0.01)


@pytest.fixture(scope="module")
def shared_eonss(built) -> EonssModel:
    """EONSS that shares its first stage between windows, with the weights of the one that cuts windows out."""
    return EonssModel(network_spec("eonss"), built["eonss"][1])


def _score_each(path: Path, picture: RGB) -> FloatMap:
    """Every window cut out and scored by itself in full precision."""
    network = load_networks(path, network_spec("eonss").make)[0][0.25]
    windows = np.lib.stride_tricks.sliding_window_view(picture, (235, 235), (0, 1))[::130, ::130]
    images = torch.from_numpy(windows.reshape(-1, 3, 235, 235).copy()).float() / 255
    with torch.inference_mode():
        return network.scores_and_uncertainty(network(images))[0].numpy().reshape(windows.shape[:2])


def test_sharing_the_first_stage_gives_the_scores_of_single_windows(shared_eonss: EonssModel, built) -> None:
    picture = np.array(tissue_picture(235 + 5 * 130 + 17, 235 + 2 * 130 + 90))
    expected = _score_each(built["eonss"][1], picture)
    found = shared_eonss.score_windows(picture, 0.25).scores
    assert found.shape == (3, 6) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.1)
    assert np.ptp(expected) > 1  # differences of windows are far above what rounding makes


def test_sharing_is_exact_in_full_precision(built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focusviewer.focus.networks.model.multiplies_bfloat16", lambda: False)
    model = EonssModel(network_spec("eonss"), built["eonss"][1])
    picture = np.array(tissue_picture(235 + 4 * 130, 235 + 130))
    expected = _score_each(built["eonss"][1], picture)
    np.testing.assert_allclose(model.score_windows(picture, 0.25).scores, expected, atol=2e-3)


def test_scores_do_not_depend_on_where_a_piece_begins_or_which_windows_matter(shared_eonss: EonssModel) -> None:
    picture = np.array(tissue_picture(235 + 6 * 130, 235 + 3 * 130))
    whole = shared_eonss.score_windows(picture, 0.25).scores
    part = shared_eonss.score_windows(picture[130:, 3 * 130 :], 0.25).scores
    np.testing.assert_array_equal(part, whole[1:, 3:])
    wanted = np.zeros(whole.shape, bool)
    wanted[0, 6] = wanted[2, 1] = wanted[3, 1] = True
    read: list[tuple[int, int, int, int]] = []

    def pixels(top: int, bottom: int, left: int, right: int) -> RGB:
        read.append((top, bottom, left, right))
        return picture[top:bottom, left:right]

    some = shared_eonss.score_piece(pixels, picture.shape[:2], 0.25, wanted).scores
    np.testing.assert_array_equal(some[wanted], whole[wanted])
    assert sum((bottom - top) * (right - left) for top, bottom, left, right in read) < 0.5 * picture[..., 0].size
    with pytest.raises(ValueError, match="smaller than a window"):
        shared_eonss.score_windows(picture[:200], 0.25)


def test_pooling_in_pairs_is_torch_s_own() -> None:
    x, pool = torch.randn(2, 3, 7, 10), HalvingPool()
    torch.testing.assert_close(pool.eval()(x), torch.nn.functional.max_pool2d(x, 2), rtol=0, atol=0)
    torch.testing.assert_close(pool.train()(x), pool.eval()(x), rtol=0, atol=0)
