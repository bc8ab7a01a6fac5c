from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus import map_slide
from focusviewer.focus.networks.focuslitenn import FocusLiteNN, FocusLiteNNModule, save_weights
from focusviewer.focus.networks.weights import scale_prefix
from tests.focus.doubles import MemorySlide, blur


def _one_by_one(module: FocusLiteNNModule, image: RGB, rows: int, cols: int) -> np.ndarray:
    """The definition: every window on its own, with one real pixel around it (the edge's own at the edge)."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    scores = np.empty((rows, cols), np.float32)
    for row, col in np.ndindex(rows, cols):
        crop = padded[130 * row : 130 * row + 237, 130 * col : 130 * col + 237]
        pixels = torch.from_numpy(crop.astype(np.float32) / 255).permute(2, 0, 1)[None]
        with torch.inference_mode():
            scores[row, col] = float(module(pixels)[0])
    return scores


@pytest.mark.parametrize("kernels", [1, 2, 10])
def test_shared_convolution_equals_the_window_by_window_definition(
    kernels: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    torch.manual_seed(kernels)
    module = FocusLiteNNModule(kernels)
    with torch.no_grad():
        module.head.bias.fill_(3.0)
    path = tmp_path / "w.safetensors"
    save_weights(path, {0.25: module})
    image = rng.integers(0, 256, (235 + 2 * 130 + 77, 235 + 3 * 130, 3), dtype=np.uint8)
    grid = FocusLiteNN("x", path).score_windows(image)
    assert grid.scores.shape == (3, 4)
    np.testing.assert_allclose(grid.scores, _one_by_one(module, image, 3, 4), atol=2e-5)
    assert grid.scores.std() > 1e-4  # else the comparison would prove nothing


def test_weights_round_trip_and_scales_are_kept_apart(tmp_path: Path, picture: RGB) -> None:
    torch.manual_seed(0)
    fine, coarse = FocusLiteNNModule(2), FocusLiteNNModule(2)
    with torch.no_grad():
        fine.head.bias.fill_(5.0)
        coarse.head.bias.fill_(9.0)
    path = tmp_path / "two.safetensors"
    save_weights(path, {0.25: fine, 0.5: coarse})
    model = FocusLiteNN("two", path)
    assert model.mpps == (0.25, 0.5)
    assert model.parameters() == 2 * 148 + 2 * 2 + 1
    window = picture[:235, :235]
    np.testing.assert_allclose(model.score_windows(window, 0.25).scores, _one_by_one(fine, window, 1, 1), atol=2e-5)
    np.testing.assert_allclose(model.score_windows(window, 0.5).scores, _one_by_one(coarse, window, 1, 1), atol=2e-5)


def test_exported_tensors_have_the_documented_names_and_shapes() -> None:
    state = FocusLiteNNModule(10).export_state(scale_prefix(0.5))
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "mpp0.5/conv.weight": (10, 3, 7, 7),
        "mpp0.5/conv.bias": (10,),
        "mpp0.5/head.weight": (20,),
        "mpp0.5/head.bias": (1,),
    }


def test_version_follows_the_weights(tmp_path: Path) -> None:
    versions = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        path = tmp_path / f"{seed}.safetensors"
        save_weights(path, {0.25: FocusLiteNNModule(1)})
        versions.add(FocusLiteNN("m", path).version)
    assert len(versions) == 2


def test_scores_may_fall_below_zero_but_maps_do_not(tmp_path: Path, picture: RGB, slide: MemorySlide) -> None:
    # Two planes that both look sharper than anything in training must still be told apart.
    module = FocusLiteNNModule(1)
    with torch.no_grad():
        module.head.bias.fill_(-100.0)
    path = tmp_path / "low.safetensors"
    save_weights(path, {0.25: module})
    model = FocusLiteNN("low", path)
    assert model.score_windows(picture).scores.max() < 0
    blur = map_slide(slide, model, mpp=0.25).blur
    assert np.nanmin(blur) == np.nanmax(blur) == 0


def test_unreadable_weights_are_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"not weights at all")
    with pytest.raises(UserError, match="Cannot load the weights of broken"):
        FocusLiteNN("broken", path)


def test_blurrier_pictures_score_higher(model: FocusLiteNN, picture: RGB) -> None:
    scores = [model.score(blur(picture, sigma) if sigma else picture, 0.25) for sigma in (0, 1, 2, 4)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 0.1


def test_worker_threads_take_one_core_and_leave_the_default_alone(model: FocusLiteNN) -> None:
    counts: list[int] = []
    before = torch.get_num_threads()

    def work() -> None:
        model.start_thread()
        counts.append(torch.get_num_threads())

    for target in (work, lambda: counts.append(torch.get_num_threads())):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert counts == [1, before]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("kernels", [1, 2, 10])
def test_a_piece_with_gaps_is_read_where_it_must_and_scored_the_same(
    kernels: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    torch.manual_seed(kernels)
    path = tmp_path / "w.safetensors"
    save_weights(path, {0.25: FocusLiteNNModule(kernels)})
    model = FocusLiteNN("x", path)
    rows, cols = 8, 9
    image = rng.integers(0, 256, (237 + 130 * (rows - 1), 237 + 130 * (cols - 1), 3), dtype=np.uint8)
    wanted = np.zeros((rows, cols), bool)
    wanted[0, :2] = wanted[3:6, 5] = wanted[7, 0] = wanted[2, 8] = True
    seen, tops = np.zeros(image.shape[:2], bool), []

    def read(top: int, bottom: int, left: int, right: int) -> RGB:
        tops.append(top)
        seen[top:bottom, left:right] = True
        return image[top:bottom, left:right]

    found = model.score_piece(read, (image.shape[0], image.shape[1]), None, wanted).scores
    whole = model.score_with_halo(image).scores
    np.testing.assert_allclose(found[wanted], whole[wanted], atol=1e-5)
    assert tops == sorted(tops)
    for row, col in np.argwhere(wanted):
        assert seen[130 * row : 130 * row + 237, 130 * col : 130 * col + 237].all()
    assert seen.mean() < 0.6
