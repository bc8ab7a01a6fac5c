from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.training.data.sources import energy_ratio, load_sources, sharp_crops


def test_no_image_is_on_both_sides(data_dir: Path) -> None:
    train = {source.name for source in load_sources(data_dir, "train")}
    held_out = {source.name for source in load_sources(data_dir, "validation")}
    assert len(train) > 50
    assert len(held_out) > 10
    assert not train & held_out
    assert not any("test" in name for name in train)


def test_only_sharp_structured_squares_are_cut(tiny_data: Path) -> None:
    sources = load_sources(tiny_data, "train")
    crops = sharp_crops(sources, 224)
    assert crops.shape[1:] == (224, 224, 3)
    assert all(energy_ratio(crop.mean(axis=2)) >= 0.7 for crop in crops)


def test_images_a_little_too_small_are_continued_by_their_mirror_image(tiny_data: Path) -> None:
    sources = load_sources(tiny_data, "train")  # 320 x 256 px
    crop = sharp_crops(sources, 320, factors=(1,))[0]
    assert crop.shape == (320, 320, 3)
    np.testing.assert_array_equal(crop[:32], crop[64:32:-1])
    with pytest.raises(UserError, match="400 px"):
        sharp_crops(sources, 400, factors=(1,))


def test_blur_lowers_the_energy_ratio(rng: np.random.Generator) -> None:
    from scipy.ndimage import gaussian_filter

    noise = rng.random((64, 64))
    ratios = [energy_ratio(gaussian_filter(noise, sigma)) for sigma in (0.5, 1, 2)]
    assert ratios == sorted(ratios, reverse=True)


def test_an_empty_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        load_sources(tmp_path, "train")
