"""The readers on real files."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import DisplayPyramid, Region, TileKey, open_slide
from focusviewer.slides.readers.openslide import OpenSlideSlide
from focusviewer.slides.readers.tiff.reader import TiffSlide

# name, size, reader is ours, pixel size, magnification
SLIDES = [
    ("cmu-1-small-region.svs", (2220, 2967), 0.499, 20.0),
    ("tcga-cr-7395-jp2k-5x.svs", (4443, 3567), None, None),
    ("bracs-1640-n-3-crop.tiff", (650, 743), None, None),
    ("dicom-raw.dcm", (957, 715), None, None),
    ("dicom-jpeg.dcm", (957, 715), None, None),
    ("dicom-jpeg2000.dcm", (957, 715), None, None),
    ("kidney-untiled.tif", (1493, 901), None, None),
    ("sm_image.dcm", (50, 50), 0.499, None),
]
STACKS = [
    ("train/algae", (5440, 3648), 5),
    ("test/urjc-adipose-1", (1388, 1040), 17),
    ("test/wbc-0054", (1920, 1200), 10),
    ("test/cervix93-0", (640, 640), 7),
    *[(f"test/fraunhofer-0{i}", (512, 512), 5) for i in range(5)],
]


def on_white(handle: openslide.OpenSlide, level: int, size: tuple[int, int]) -> np.ndarray:
    pixels = np.asarray(handle.read_region((0, 0), level, size)).astype(int)
    return (pixels[..., :3] * pixels[..., 3:] + 255 * (255 - pixels[..., 3:]) + 127) // 255


@pytest.mark.parametrize(("name", "size", "mpp", "power"), SLIDES)
def test_slide_opens_and_impossible_scales_are_unknown(
    data_dir: Path, name: str, size: tuple[int, int], mpp: float | None, power: float | None
) -> None:
    with open_slide(data_dir / "wsi" / name) as slide:
        assert slide.dimensions == size
        assert slide.mpp == (pytest.approx(mpp) if mpp else None)
        assert slide.info.objective_power == power
        pyramid = DisplayPyramid(slide)
        for zoom in range(pyramid.n_zooms):
            tile = pyramid.read_tile(TileKey(pyramid.fingerprint, zoom, 0, 0, 0))
            assert tile.shape[:2] == tuple(min(512, v) for v in reversed(pyramid.size(zoom)))


@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-jp2k-5x.svs", "bracs-1640-n-3-crop.tiff"])
def test_every_level_equals_openslide_including_outside(data_dir: Path, name: str) -> None:
    path = data_dir / "wsi" / name
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as reference:
        assert isinstance(getattr(slide, "_inner", slide), TiffSlide)
        for level in range(reference.level_count):
            width, height = reference.level_dimensions[level]
            box = min(width + 30, 2500), min(height + 30, 2500)
            ours = slide.read_region(Region(level, 0, 0, *box))
            assert np.array_equal(ours, on_white(reference, level, box)), level
        assert set(slide.info.associated) == set(reference.associated_images)
        for side in slide.info.associated:
            expected = np.asarray(reference.associated_images[side].convert("RGB"))
            assert np.array_equal(slide.read_associated(side), expected), side
        assert (slide.info.icc_profile is None) == (reference.color_profile is None)


def test_openslide_reader_agrees_with_the_fast_path_everywhere(data_dir: Path) -> None:
    path = data_dir / "wsi" / "cmu-1-small-region.svs"
    rng = np.random.default_rng(3)
    with open_slide(path) as fast, OpenSlideSlide(path) as slow:
        for _ in range(10):
            x, y = (int(v) for v in rng.integers(-300, 3000, 2))
            width, height = (int(v) for v in rng.integers(1, 700, 2))
            region = Region(0, x, y, width, height)
            assert np.array_equal(fast.read_region(region), slow.read_region(region)), region


def test_many_threads_read_the_same_pixels_as_one(data_dir: Path) -> None:
    with open_slide(data_dir / "wsi" / "cmu-1-small-region.svs") as slide:
        whole = slide.read_region(Region(0, 0, 0, *slide.dimensions))
        boxes = [(x, y) for y in range(0, 2700, 190) for x in range(0, 2000, 170)]

        def same(corner: tuple[int, int]) -> bool:
            x, y = corner
            return np.array_equal(slide.read_region(Region(0, x, y, 200, 200)), whole[y : y + 200, x : x + 200])

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(same, boxes))


@pytest.mark.parametrize("name", ["os-1-he.ome.tif", "os-2-ki67-ndpi.ome.tif"])
def test_ome_tiff_has_true_colours_and_scale(data_dir: Path, name: str) -> None:
    with open_slide(data_dir / "patches" / "openslide-crops" / name) as slide:
        assert slide.mpp == pytest.approx(0.2271, abs=1e-4)
        size = slide.dimensions
        pixels = slide.read_region(Region(0, 0, 0, *size))
        background = np.percentile(pixels.reshape(-1, 3), 99, axis=0)
        assert background.min() > 200  # YCbCr shown as RGB would be green


@pytest.mark.parametrize(("name", "size", "count"), STACKS)
def test_stack_folder_opens_without_its_fused_image(
    data_dir: Path, name: str, size: tuple[int, int], count: int
) -> None:
    folder = data_dir / "stacks" / name
    with open_slide(folder) as slide:
        assert slide.dimensions == size
        assert len(slide.planes_um) == count
        assert not slide.info.z_step_known
        assert slide.mpp is None
        last = sorted(path for path in folder.iterdir() if path.stem[-1].isdigit())[-1]
        expected = np.asarray(Image.open(last).convert("RGB"))[:100, :100]
        assert np.array_equal(slide.read_region(Region(0, 0, 0, 100, 100, count - 1)), expected)


def test_fluorescence_and_photographs_open(data_dir: Path) -> None:
    with open_slide(data_dir / "fluorescence" / "neubias-xyzc_16bit__dna_conf_wf.tif") as slide:
        assert len(slide.planes_um) == 45
        assert np.diff(slide.planes_um) == pytest.approx(0.5, abs=0.01)
        assert slide.read_region(Region(0, 0, 0, *slide.dimensions, 20)).max() > 200
    for path in sorted((data_dir / "fluorescence").glob("bbbc006-*/*.tif")):
        with open_slide(path) as slide:
            assert slide.dimensions == (696, 520)
            assert slide.read_region(Region(0, 0, 0, 696, 520)).std() > 5
    with open_slide(data_dir / "multifocus" / "pcb") as slide:
        assert len(slide.planes_um) == 7


def test_folder_of_dicom_files_opens(data_dir: Path, tmp_path: Path) -> None:
    shutil.copy(data_dir / "wsi" / "dicom-jpeg.dcm", tmp_path / "instance 1.dcm")
    with open_slide(tmp_path) as slide:
        assert slide.dimensions == (957, 715)


def test_pixels_that_openslide_does_not_decode_are_read_with_the_extra_for_dicom(data_dir: Path) -> None:
    pytest.importorskip("wsidicom")
    with open_slide(data_dir / "wsi" / "sm_image_jpegls.dcm") as slide:
        assert slide.dimensions == (50, 50) and slide.mpp == pytest.approx(0.499)
        assert slide.read_region(Region(0, 0, 0, 50, 50)).std() > 0


@pytest.mark.parametrize("name", ["broken.svs", "sm_image_grayscale.dcm"])
def test_unreadable_files_say_why(data_dir: Path, name: str) -> None:
    with pytest.raises(SlideError) as caught:
        open_slide(data_dir / "wsi" / name)
    assert name in str(caught.value)
    assert caught.value.why


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-jp2k-5x.svs", "bracs-1640-n-3-crop.tiff"])
def test_real_slides_cut_off_anywhere_are_refused(data_dir: Path, tmp_path: Path, name: str, part: float) -> None:
    data = (data_dir / "wsi" / name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(SlideError):
        open_slide(cut)
