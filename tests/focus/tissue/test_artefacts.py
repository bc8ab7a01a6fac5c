from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.focus import map_slide
from focusviewer.focus.mapping.engine import windows_that_cannot_tell
from focusviewer.focus.mapping.grid import WindowGrid
from focusviewer.focus.networks.focuslitenn import FocusLiteNN
from focusviewer.focus.tissue.mask import TissueMask, tissue_mask
from tests.focus.doubles import MemorySlide, blur, tissue_picture

GLASS = np.array((243, 242, 244), np.float32)
INKS = {"green": (0.3, 0.75, 0.65), "blue": (0.2, 0.45, 0.85), "red": (0.9, 0.18, 0.22), "black": (0.1, 0.1, 0.11)}


def _slide(side: int = 2400) -> RGB:
    """Tissue in the middle of a glass slide."""
    rng = np.random.default_rng(2)
    picture = np.clip(GLASS + rng.normal(0, 1.0, (side, side, 3)), 0, 255).astype(np.uint8)
    edge = side // 6
    picture[edge:-edge, edge:-edge] = tissue_picture(side - 2 * edge, side - 2 * edge)
    return picture


def _mask(picture: RGB, mpp: float = 0.25) -> TissueMask:
    return tissue_mask(MemorySlide(picture, mpp=mpp))


def _share(mask: TissueMask, kind: str, rows: slice, cols: slice) -> float:
    """Part of a rectangle, in slide pixels, that an artefact covers."""
    step = mask.fine_downsample
    part = mask.artefacts[kind]
    return float(part[_over(rows, step), _over(cols, step)].mean())


def _over(part: slice, step: float) -> slice:
    return slice(round(part.start / step), round(part.stop / step))


def test_nothing_is_wrong_with_clean_tissue_sharp_or_blurred() -> None:
    grid = WindowGrid(1.0, 235, 130, 17, 17, 0, 0)
    for picture in (_slide(), blur(_slide(), 5)):
        mask = _mask(picture)
        assert all(part.mean() < 0.001 for part in mask.artefacts.values())
        assert not windows_that_cannot_tell(grid, mask).any()


def test_eosin_of_the_colour_of_red_ink_is_no_pen() -> None:
    """Sharp or blurred: a stain that stops blue almost as green does, on all of the tissue."""
    density = -np.log10(np.clip(_slide(1600) / GLASS, 0.01, 1)).mean(axis=2, keepdims=True)
    tissue = np.zeros_like(density)
    tissue[270:-270, 270:-270] = 0.28
    red = 10 ** -((tissue + 0.3 * density) * np.array([0.2, 1.0, 0.92])) * GLASS
    for picture in (red, blur(np.clip(red, 0, 255).astype(np.uint8), 5)):
        mask = _mask(np.clip(picture, 0, 255).astype(np.uint8))
        assert mask.artefacts["pen"].mean() < 0.001
        assert mask.mask.mean() > 0.3


@pytest.mark.parametrize("colour", INKS)
def test_pen_is_found_over_glass_and_over_tissue(colour: str) -> None:
    picture = _slide().astype(np.float32)
    stroke = (slice(0, 2400), slice(1000, 1200))
    picture[stroke] *= np.array(INKS[colour], np.float32)  # ink lets through its share of the light
    mask = _mask(np.clip(picture, 0, 255).astype(np.uint8))
    assert _share(mask, "pen", slice(500, 1900), slice(1010, 1190)) > 0.95
    assert _share(mask, "pen", slice(20, 380), slice(1010, 1190)) > 0.95
    assert _share(mask, "pen", slice(500, 1900), slice(1400, 1900)) < 0.01


def test_a_fold_is_tissue_twice() -> None:
    picture = (_slide() / GLASS) ** 1.8 * GLASS
    band = (slice(1000, 1140), slice(500, 1900))
    picture[band] = (picture[band] / GLASS) ** 3.2 * GLASS
    mask = _mask(np.clip(picture, 0, 255).astype(np.uint8))
    assert _share(mask, "fold", slice(1020, 1120), slice(600, 1800)) > 0.7  # windows need a hundredth
    assert _share(mask, "fold", slice(1400, 1900), slice(500, 1900)) < 0.01


def test_the_rim_of_a_bubble_is_found_but_not_what_it_encloses() -> None:
    picture = _slide().astype(np.float32)
    y, x = np.mgrid[:2400, :2400]
    distance = np.hypot(y - 1200, x - 1200)
    picture[np.abs(distance - 500) < 14] *= 0.25
    mask = _mask(np.clip(picture, 0, 255).astype(np.uint8))
    step = mask.fine_downsample
    rows, cols = np.mgrid[: mask.artefacts["rim"].shape[0], : mask.artefacts["rim"].shape[1]]
    away = np.abs(np.hypot((rows + 0.5) * step - 1200, (cols + 0.5) * step - 1200) - 500)
    gray = mask.artefacts["rim"] | mask.artefacts["dust"]
    assert gray[away < 8].mean() > 0.8
    assert gray[away > 60].mean() < 0.002


def test_dust_on_tissue_spoils_the_windows_under_it_and_no_others(model: FocusLiteNN) -> None:
    picture = _slide()
    picture[1180:1230, 1180:1230] = 40
    result = map_slide(MemorySlide(picture, mpp=0.25), model)
    assert result.cannot_tell is not None
    unusable = np.argwhere(result.cannot_tell)
    assert 1 <= len(unusable) <= 9
    assert all(abs(result.y[row] - 1205) < 160 and abs(result.x[col] - 1205) < 160 for row, col in unusable)
    assert np.isnan(result.blur[result.cannot_tell]).all()
    assert result.tissue.sum() > 100


def test_pale_shreds_are_not_judged(model: FocusLiteNN) -> None:
    picture = _slide().astype(np.float32)
    picture[:1200] = GLASS + 0.03 * (picture[:1200] - GLASS)  # next to no stain, but of tissue's colour
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    result = map_slide(MemorySlide(picture, mpp=0.25), model)
    upper = result.y < 1000
    assert not result.tissue[upper].any()
    assert result.tissue[(result.y > 1400) & (result.y < 1800)].any()


def test_maps_made_with_a_plain_mask_ask_no_more_of_it(model: FocusLiteNN) -> None:
    slide = MemorySlide(tissue_picture(900, 900), mpp=0.25)
    result = map_slide(slide, model, tissue=TissueMask(np.ones((9, 9), bool), 100.0))
    assert result.tissue.all() and result.cannot_tell is not None and not result.cannot_tell.any()


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_artefacts_of_real_slides_are_hardly_ever_called_blurred(data_dir: Path, mpp: float) -> None:
    """Less than 2 % of the artefacts' area."""
    from PIL import Image

    from focusviewer.focus import get_model
    from focusviewer.slides import open_slide

    focus_model = get_model("focuslitenn-10")
    called, area = 0, 0
    for masked in sorted((data_dir / "artefacts" / "histoqc").glob("*_mask.png")):
        picture = masked.with_name(masked.name.replace("_mask", ""))
        if not picture.exists():
            continue
        with Image.open(masked) as image:
            truth = np.asarray(image.convert("L")) > 127
        with open_slide(picture) as slide:
            result = map_slide(slide, focus_model, mpp=mpp)
        half = result.stride_px / 2
        for row, col in np.argwhere(np.nan_to_num(result.blur, nan=-1) >= 3):
            y, x = result.y[row], result.x[col]
            called += int(truth[max(0, int(y - half)) : int(y + half), max(0, int(x - half)) : int(x + half)].sum())
        area += int(truth.sum())
    assert area > 100_000
    assert called / area < 0.02


@pytest.mark.parametrize(
    "name", ["no-tissue-green-pen", "no-tissue-red-pen", "no-tissue-line", "no-tissue", "almost-white-1"]
)
def test_real_pictures_without_tissue_have_nothing_blurred(data_dir: Path, name: str, model: FocusLiteNN) -> None:
    from focusviewer.slides import open_slide

    with open_slide(data_dir / "artefacts" / "histolab" / f"{name}.png") as slide:
        assert not map_slide(slide, model, mpp=0.25).tissue.any()


@pytest.mark.parametrize(
    "name", ["histomicstk/L1.png", "tiatoolbox/target_image.png", "histoqc/template1.png", "bone-special-stain.jpeg"]
)
def test_real_tissue_stays_judged(data_dir: Path, name: str, model: FocusLiteNN) -> None:
    from focusviewer.slides import open_slide

    with open_slide(data_dir / "patches" / name) as slide:
        result = map_slide(slide, model, mpp=0.25)
    assert result.cannot_tell is not None
    assert result.tissue.sum() > 3 * result.cannot_tell.sum()
