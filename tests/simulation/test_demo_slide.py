from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import laplace

from focusviewer.core.errors import CancelledError, UserError
from focusviewer.optics import image_section
from focusviewer.simulation.demo_slide import (
    DEMO_STACK_UM,
    demo_simulator,
    ensure_demo_slide,
    ensure_slide,
    sharp_square,
    truth_path,
    write_simulated_slide,
)
from focusviewer.simulation.phantom.tissue import TissuePhantom
from focusviewer.simulation.sections.blur_pattern import BLURS, BlurPattern, Strip, make_pattern
from focusviewer.simulation.sections.slab_imager import SlabImager
from focusviewer.simulation.slides import SCANNER, SlideSimulator
from focusviewer.slides.writer import halve, pyramid_levels


def sharpness(image: np.ndarray) -> float:
    return float(np.var(laplace(image[..., 1].astype(np.float32))))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "mixed slide ä.ome.tif"
    write_simulated_slide(path, seed=4, width=2048, height=1536, blur="mixed")
    return path


def test_slide_is_an_ome_pyramid_with_its_pixel_size(mixed: Path) -> None:
    with tifffile.TiffFile(mixed) as tiff:
        assert tiff.is_ome
        series = tiff.series[0]
        assert series.shape == (1536, 2048, 3)
        assert [level.shape[:2] for level in series.levels] == [(1536, 2048), (768, 1024)]
        assert 'PhysicalSizeX="0.25"' in tiff.ome_metadata
        assert 'PhysicalSizeYUnit="µm"' in tiff.ome_metadata
        page = series.levels[0].pages[0]
        assert page.is_tiled
        assert page.compression.name == "JPEG"


def test_coarse_level_shows_the_same_picture(mixed: Path) -> None:
    with tifffile.TiffFile(mixed) as tiff:
        fine, coarse = (level.asarray() for level in tiff.series[0].levels)
    difference = np.abs(halve(fine).astype(int) - coarse.astype(int))
    assert difference.mean() < 2


def test_slide_holds_tissue_and_glass(mixed: Path) -> None:
    image = tifffile.imread(mixed)
    tissue = np.load(truth_path(mixed))["tissue"]
    assert 0.2 < tissue.mean() < 0.95
    thumbnail = image[32::64, 32::64].astype(float).mean(axis=-1)
    assert thumbnail[tissue].mean() < thumbnail[~tissue].mean() - 15


def test_truth_lies_on_the_slide_grid(mixed: Path) -> None:
    truth = np.load(truth_path(mixed))
    assert truth["z_um"].shape == truth["tissue"].shape == (24, 32)
    assert truth["z_um"].dtype == np.float32
    assert truth["z_um"].min() >= 0
    assert truth["x"][0] == truth["y"][0] == 32
    assert np.allclose(np.diff(truth["x"]), 64)


def test_the_same_seed_draws_the_same_pixels() -> None:
    pattern = make_pattern("mixed", np.random.default_rng(1), 800, 600)
    blocks = []
    for _ in range(2):
        simulator = SlideSimulator(TissuePhantom(6, 800, 600, kind="slide", slabs=2), pattern)
        blocks.append(simulator.draw(256, 128, 256, 200))
    assert np.array_equal(*blocks)


def test_a_known_stripe_is_blurred_where_the_truth_says() -> None:
    pattern = BlurPattern(strips=(Strip(384, 768, 3.0),))
    simulator = SlideSimulator(TissuePhantom(3, 1152, 512, kind="stroma", slabs=3, thickness_um=3), pattern)
    image = np.hstack([simulator.draw(x, 0, 384, 512) for x in (0, 384, 768)])
    detail = np.abs(laplace(image[..., 1].astype(np.float32))).mean(axis=0)
    profile = np.convolve(detail, np.ones(16) / 16, mode="same")
    assert profile[400:750].max() < 0.6 * np.median(profile[20:370])
    assert profile[400:750].max() < 0.6 * np.median(profile[790:1130])
    z = simulator.truth()["z_um"][2]
    assert np.allclose(z[:6], 0) and np.allclose(z[6:12], 3.0) and np.allclose(z[12:], 0)
    threshold = (np.median(profile[20:370]) + np.median(profile[420:730])) / 2
    left = int(np.argmax(profile[200:600] < threshold)) + 200
    assert abs(left - 384) < 24


def test_blocks_join_without_a_seam() -> None:
    pattern = make_pattern("mixed", np.random.default_rng(3), 1024, 512)
    simulator = SlideSimulator(TissuePhantom(3, 1024, 512, kind="gland", slabs=2), pattern)
    image = np.hstack([simulator.draw(0, 0, 512, 256), simulator.draw(512, 0, 512, 256)]).astype(float)
    steps = np.abs(np.diff(image, axis=1)).mean(axis=(0, 2))
    assert steps[511] < 1.5 * np.median(steps[470:550]) + 1


def test_fast_imager_agrees_with_the_reference_model() -> None:
    phantom = TissuePhantom(5, 320, 320, kind="gland", slabs=3, thickness_um=3)
    section = phantom.section()
    fast = SlabImager(np.moveaxis(section.density, -1, 1).copy(), section.z_um, 0.25, SCANNER)
    for z in (0.0, 2.0):
        reference = image_section(section, z, SCANNER)[40:-40, 40:-40]
        ours = np.moveaxis(fast.image(z), 0, -1)[40:-40, 40:-40]
        assert np.sqrt(np.mean((ours - reference) ** 2)) < 0.02


@pytest.mark.parametrize("blur", BLURS)
def test_patterns_do_what_their_name_says(blur: str) -> None:
    pattern = make_pattern(blur, np.random.default_rng(2), 4000, 3000)
    x, y = np.arange(0, 4000, 20.0)[None, :], np.arange(0, 3000, 20.0)[:, None]
    z = np.abs(pattern.z_um(x, y))
    blurred = float((z > 0.75).mean())
    low, high = {"none": (0, 0), "whole": (1, 1), "strip": (0.05, 0.3), "bubble": (0.005, 0.2), "mixed": (0.1, 0.8)}[
        blur
    ]
    assert low <= blurred <= high
    assert z.max() < 11


def test_bad_requests_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wavy"):
        write_simulated_slide(tmp_path / "a.ome.tif", seed=1, width=512, height=512, blur="wavy")
    with pytest.raises(UserError, match="small"):
        write_simulated_slide(tmp_path / "a.ome.tif", seed=1, width=10, height=512, blur="none")
    with pytest.raises(UserError, match="Cannot write"):
        write_simulated_slide(tmp_path / "no" / "a.ome.tif", seed=1, width=128, height=128, blur="none")


def test_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(fraction: float, text: str) -> None:
        if fraction > 0.05:
            raise CancelledError

    with pytest.raises(CancelledError):
        write_simulated_slide(tmp_path / "a.ome.tif", seed=1, width=2048, height=1024, on_progress=stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CancelledError):
        ensure_slide(tmp_path, lambda: demo_simulator(1536, 1280), stop, 256)
    assert list(tmp_path.iterdir()) == []


def test_two_builds_at_once_give_one_demo(tmp_path: Path) -> None:
    results = []

    def build() -> None:
        results.append(ensure_slide(tmp_path, lambda: demo_simulator(1024, 768), None, 256))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]
    assert [path.name for path in tmp_path.iterdir()] == [results[0].slide.parent.name]
    before = results[0].slide.stat().st_mtime_ns
    assert ensure_demo_slide(tmp_path).slide.stat().st_mtime_ns == before


def test_stack_has_five_planes_sharpest_in_the_middle(tmp_path: Path) -> None:
    demo = ensure_slide(tmp_path, lambda: demo_simulator(1536, 1280), None, 512)
    with tifffile.TiffFile(demo.stack) as tiff:
        assert tiff.series[0].axes == "ZYXS"
        planes = tiff.series[0].asarray()
        assert 'PhysicalSizeZ="1.0"' in tiff.ome_metadata
    assert planes.shape == (len(DEMO_STACK_UM), 512, 512, 3)
    levels = [sharpness(plane) for plane in planes]
    assert int(np.argmax(levels)) == 2
    assert levels[0] < levels[1] and levels[4] < levels[3]


def test_demo_is_sharp_somewhere_and_blurred_somewhere_on_tissue() -> None:
    simulator = demo_simulator(2048, 1536)
    truth = simulator.truth()
    on_tissue = truth["z_um"][truth["tissue"]]
    assert 0.3 < float((on_tissue < 0.3).mean()) < 0.9
    assert float((on_tissue > 1.0).mean()) > 0.1
    x, y = sharp_square(simulator, 256)
    assert float(np.abs(simulator.z_um(x, y, 256, 256)).max()) < 1.0


def test_pyramid_ends_at_a_small_level() -> None:
    assert pyramid_levels(12288, 10240) == 4
    assert pyramid_levels(1024, 600) == 0
