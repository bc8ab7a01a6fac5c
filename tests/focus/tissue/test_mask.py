from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.focus.tissue.mask import TissueMask, find_tissue, tissue_mask
from tests.focus.doubles import MemorySlide, blur, tissue_picture


def _on_glass(patch: RGB, glass: tuple[int, int, int] = (243, 242, 244)) -> RGB:
    rng = np.random.default_rng(0)
    picture = np.clip(np.array(glass) + rng.normal(0, 1.0, (300, 400, 3)), 0, 255).astype(np.uint8)
    picture[100:200, 100:250] = patch[:100, :150]
    return picture


def _found(picture: RGB) -> tuple[float, float]:
    """Share of the patch that is found, and of the glass well away from it that is taken for tissue."""
    mask = find_tissue(picture)
    glass = mask.copy()
    glass[90:210, 90:260] = False
    return float(mask[104:196, 104:246].mean()), float(glass.mean())


@pytest.mark.parametrize("sigma", [0, 3, 12])
def test_tissue_is_found_however_blurred(sigma: float) -> None:
    patch = tissue_picture(160, 110)
    inside, outside = _found(_on_glass(blur(patch, sigma) if sigma else patch))
    assert inside > 0.97 and outside < 0.002


def test_gray_and_brown_tissue_is_found() -> None:
    patch = tissue_picture(160, 110)
    gray = np.repeat(patch.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert _found(np.repeat(_on_glass(gray)[..., :1], 3, axis=2))[0] > 0.97
    brown = (patch.astype(float) * (0.75, 0.8, 0.5)).astype(np.uint8)
    assert _found(_on_glass(brown))[0] > 0.9


def test_glass_of_any_tint_is_empty() -> None:
    for glass in ((243, 242, 244), (228, 226, 214), (205, 207, 206)):
        picture = np.clip(np.array(glass) + np.random.default_rng(1).normal(0, 1.5, (200, 200, 3)), 0, 255)
        assert find_tissue(picture.astype(np.uint8)).mean() < 0.002


@pytest.mark.parametrize(
    "ink", [(40, 160, 140), (30, 90, 200), (205, 25, 40), (22, 20, 24)], ids=["green", "blue", "red", "black"]
)
def test_pen_is_not_tissue(ink: tuple[int, int, int]) -> None:
    picture = _on_glass(tissue_picture(160, 110))
    picture[:, 300:330] = ink
    mask = find_tissue(picture)
    assert mask[:, 295:335].mean() < 0.02
    assert mask[104:196, 104:246].mean() > 0.97


def test_fractions_of_boxes_in_slide_pixels() -> None:
    mask = np.zeros((10, 20), bool)
    mask[2:6, 5:10] = True
    tissue = TissueMask(mask, 16.0)
    assert tissue.fraction(80, 32, 160, 96) == 1
    assert tissue.fraction(80, 32, 240, 96) == pytest.approx(0.5)
    assert tissue.fraction(-500, -500, -400, -400) == 0
    assert tissue.fraction(86, 40, 88, 42) == 1  # smaller than a mask pixel
    boxes = tissue.fraction(np.array([80, 0]), 32, np.array([160, 80]), 96)
    np.testing.assert_array_equal(boxes, [1, 0])


def test_mask_lies_where_the_tissue_is() -> None:
    picture = np.full((2000, 3000, 3), 244, np.uint8)
    picture[800:1400, 1000:2200] = tissue_picture(1200, 600)
    tissue = tissue_mask(MemorySlide(picture, downsamples=(1, 4)))
    assert tissue.fraction(1000, 800, 2200, 1400) > 0.97
    assert tissue.mask.sum() * tissue.downsample**2 < 1.15 * 600 * 1200


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("artefacts/histolab/no-tissue-green-pen.png", 0, 0.05),
        ("artefacts/histolab/almost-white-1.png", 0, 0.01),
        ("artefacts/histolab/no-tissue.png", 0, 0.05),
        ("artefacts/histolab/tcga-green-pen.png", 0.6, 0.9),
        ("artefacts/histolab/high-nuclei-score-red-pen-level1.png", 0.7, 0.95),
        ("patches/histolab/high-nuclei-score-level0.png", 0.95, 1),
        ("patches/bone-special-stain.jpeg", 0.7, 1),
        ("stacks/test/urjc-adipose-1/z00.png", 0.7, 1),
        ("stacks/test/wbc-0054/z00.jpg", 0.7, 1),
        ("stacks/test/fraunhofer-03/z02.png", 0.02, 0.3),
    ],
)
def test_real_pictures(data_dir, name: str, low: float, high: float) -> None:
    from PIL import Image

    with Image.open(data_dir / name) as image:
        picture = np.asarray(image.convert("RGB"))
    assert low <= tissue_mask(MemorySlide(picture, downsamples=(1,))).mask.mean() <= high


def test_inked_strokes_of_real_slides_are_left_out(data_dir) -> None:
    from PIL import Image

    folder = data_dir / "artefacts" / "histoqc"
    with Image.open(folder / "pen_1k_version_pen_green.png") as image:
        mask = find_tissue(np.asarray(image.convert("RGB")))
    with Image.open(folder / "pen_1k_version_pen_green_mask.png") as image:
        pen = np.asarray(image.convert("L")) > 0
    assert mask[pen].mean() < 0.35 and mask[~pen].mean() > 0.15
