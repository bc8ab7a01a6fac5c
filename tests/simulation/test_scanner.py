from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, laplace

from focusviewer.optics import Camera, Optics
from focusviewer.optics.bayer import demosaic, mosaic
from focusviewer.simulation.demo_slide import write_simulated_slide
from focusviewer.simulation.phantom.dust import Dust, draw_dust, dust_density
from focusviewer.simulation.phantom.layout import Frame
from focusviewer.simulation.phantom.tissue import FOLD_LIFT_UM, TissuePhantom
from focusviewer.simulation.scanner import Scan, Scanner
from focusviewer.simulation.sections.artefacts import Artefacts, section_with_artefacts
from focusviewer.simulation.sections.blur_pattern import BlurPattern, uneven_surface
from focusviewer.simulation.slides import SlideSimulator
from focusviewer.simulation.stacks import StackRecipe, simulate_stack, write_simulated_stack

QUIET = Camera(noise=0.0)


def axes(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(width, dtype=float)[None, :], np.arange(height, dtype=float)[:, None]


# The camera


def test_a_mosaic_keeps_one_colour_a_pixel_and_demosaicking_brings_flat_colours_back() -> None:
    flat = np.broadcast_to(np.array([0.8, 0.5, 0.2], np.float32), (12, 10, 3)).copy()
    raw = mosaic(flat)
    assert raw[0, 0] == np.float32(0.8)
    assert raw[0, 1] == raw[1, 0] == np.float32(0.5)
    assert raw[1, 1] == np.float32(0.2)
    np.testing.assert_allclose(demosaic(raw), flat, atol=1e-6)


def test_demosaicking_is_close_for_smooth_pictures_and_wrong_at_fine_ones(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((64, 64, 3)).astype(np.float32)
    # Linear interpolation errs by half the second derivative, which is sqrt(3) / (2 sigma^2) of smoothed noise.
    for sigma, low, high in ((3.0, 0.0, 0.1), (0.5, 0.2, 2.0)):
        image = gaussian_filter(noise, (sigma, sigma, 0))
        image /= image.std()
        assert low <= np.abs(demosaic(mosaic(image)) - image)[4:-4, 4:-4].mean() <= high


def test_a_colour_filter_correlates_noise() -> None:
    light = np.full((128, 128, 3), 0.5, np.float32)

    def neighbours(camera: Camera) -> float:
        red = camera.capture(light, np.random.default_rng(1))[..., 0].astype(float)
        red -= red.mean()
        return float((red[:, 1:] * red[:, :-1]).mean() / red.var())

    assert abs(neighbours(Camera(noise=0.02))) < 0.05
    assert neighbours(Camera(noise=0.02, bayer=True)) > 0.2


def test_a_gray_camera_records_gray(rng: np.random.Generator) -> None:
    shot = Camera(noise=0.01, monochrome=True, bayer=True).capture(rng.random((32, 32, 3), dtype=np.float32), rng)
    assert (shot == shot[..., :1]).all()


# Fields of view


def test_fields_have_focus_of_their_own_whatever_the_window() -> None:
    scan = Scan((100, 0), jump_um=1.0, seed=4)
    x, y = axes(350, 3)
    z = scan.focus_um(x, y)
    assert np.ptp(z[:, :100]) == np.ptp(z[:, 100:200]) == 0
    assert np.abs(np.diff(z[0])[[99, 199, 299]]).min() > 0.01
    np.testing.assert_array_equal(scan.focus_um(x[:, 120:260], y), z[:, 120:260])


def test_focus_curves_over_a_field() -> None:
    z = Scan((200, 200), curvature_um=0.8).focus_um(*axes(200, 200))
    assert z[100, 100] == pytest.approx(0, abs=1e-3)
    assert z[100, 0] == pytest.approx(0.8, rel=0.02)
    assert z[0, 0] == pytest.approx(1.6, rel=0.02)
    line = Scan((200, 0), curvature_um=0.8).focus_um(*axes(200, 50))
    assert np.ptp(line[:, 0]) == 0


def test_fields_are_put_together_with_seams() -> None:
    scan = Scan((64, 0), shift_px=3.0, gain=0.05, seed=2)
    light = np.broadcast_to(np.arange(80, dtype=np.float32)[:, None] / 100, (3, 80, 208)).copy()
    made = scan.assemble(light, 0, 0, 8)
    assert made.shape == (3, 64, 192)
    for column in range(3):
        error = scan.error(column, 0)
        expected = light[:, 8 + error.shift_px[0] : 72 + error.shift_px[0], :1] * np.float32(error.gain)
        np.testing.assert_allclose(made[:, :, 64 * column : 64 * column + 64], np.broadcast_to(expected, (3, 64, 64)))
    np.testing.assert_array_equal(scan.assemble(light[:, :, 32:], 32, 0, 8)[:, :, :64], made[:, :, 32:96])


def test_the_truth_knows_the_focus_of_the_fields() -> None:
    scan = Scan((128, 0), jump_um=2.0, seed=7)
    simulator = SlideSimulator(TissuePhantom(3, 384, 128, kind="stroma", slabs=2), BlurPattern(), scan)
    expected = [abs(scan.error(column, 0).focus_um) for column in (0, 0, 1, 1, 2, 2)]
    np.testing.assert_allclose(simulator.truth()["z_um"][0], expected, atol=1e-5)


# The section


def test_an_uneven_surface_has_the_height_asked_for() -> None:
    waves = uneven_surface(np.random.default_rng(3), 0.7, 0.25)
    z = BlurPattern(waves=waves).z_um(*(axis * 16 for axis in axes(1500, 1500)))
    assert z.std() == pytest.approx(0.7, rel=0.2)
    assert np.abs(np.diff(z, axis=1)).max() < 0.25  # no cliffs: per 4 um


def test_folds_asked_for_are_dark_and_lifted() -> None:
    phantom = TissuePhantom(5, 512, 512, kind="stroma", slabs=3, folds=1)
    flat = TissuePhantom(5, 512, 512, kind="stroma", slabs=3, folds=0)
    lift = phantom.lift_um(*axes(512, 512))
    assert lift.max() == pytest.approx(FOLD_LIFT_UM, rel=0.05)
    assert lift.min() < 0.1
    assert not flat.lift_um(*axes(512, 512)).any()
    on_top = lift > 0.98 * FOLD_LIFT_UM
    darker = phantom.density(0, 0, 512, 512).sum(axis=(0, 1)) / np.maximum(
        flat.density(0, 0, 512, 512).sum(axis=(0, 1)), 0.05
    )
    assert np.median(darker[on_top]) > 1.3
    simulator = SlideSimulator(phantom, BlurPattern())
    np.testing.assert_allclose(simulator.z_um(0, 0, 512, 512), -lift, atol=0.2)


def test_dust_lies_in_a_plane_of_its_own() -> None:
    grain = Dust(100, 60, 3.0, 9.0, 1.0, False, 4)
    phantom = TissuePhantom(2, 200, 120, slabs=3, thickness_um=3, dust=(grain,))
    np.testing.assert_allclose(phantom.z_um, [-1, 0, 1, 9])
    density = phantom.density(0, 0, 200, 120)
    assert density.shape == (4, 3, 120, 200)
    assert density[3, 1, 60, 100] > 0.6
    assert not density[3, :, :, :60].any()
    assert not phantom.is_glass(0, 0, 200, 120)


def test_dust_is_the_same_in_every_window() -> None:
    dust = draw_dust(np.random.default_rng(1), 12, 300, 200)
    whole = dust_density(dust, Frame(0, 0, 300, 200, 0.25))
    part = dust_density(dust, Frame(70, 40, 100, 90, 0.25))
    np.testing.assert_allclose(part, whole[40:130, 70:170], atol=1e-5)
    assert whole.max() > 0.3


def test_dust_is_sharp_in_its_own_plane_only() -> None:
    grain = Dust(128, 128, 4.0, 8.0, 1.2, False, 3)
    phantom = TissuePhantom(2, 256, 256, kind="slide", slabs=2, dust=(grain,))
    simulator = SlideSimulator(phantom, BlurPattern(), camera=QUIET)
    near, far = simulator.focal_series(np.array([8.0, 0.0]), 64).astype(float)
    edges = [np.abs(laplace(plane[96:160, 96:160, 1])).max() for plane in (near, far)]
    assert edges[0] > 4 * edges[1]


# Stacks and slides


RECIPE = StackRecipe(
    11,
    160,
    128,
    3,
    1.0,
    thickness_um=3.0,
    scanner=Scanner(Optics(condenser=0.7), Camera(noise=0.005, bayer=True, jpeg_quality=85), Scan((80, 0), 0.5, 1.0)),
    artefacts=Artefacts(relief_um=0.4, folds=1, bubbles=1, dust=3),
)


def test_equal_recipes_give_equal_files(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        made = simulate_stack(RECIPE)
        out = tmp_path / f"{name}.ome.tif"
        truth = write_simulated_stack(out, RECIPE, made)
        files.append((out.read_bytes(), truth.read_bytes()))
    assert files[0] == files[1]


def test_the_truth_of_a_stack_says_where_each_pixel_is_sharp() -> None:
    recipe = StackRecipe(
        6, 256, 192, 9, 0.75, kind="gland", thickness_um=1.5,
        scanner=Scanner(camera=QUIET, scan=Scan((128, 0), 1.2, seed=9)),
    )  # fmt: skip
    made = simulate_stack(recipe)
    assert made.pictures.shape == (9, 192, 256, 3)
    sharp = np.stack([gaussian_filter(laplace(plane[..., 1].astype(float)) ** 2, 6) for plane in made.pictures])
    for side in (slice(8, 120), slice(136, 248)):
        best = float(np.median(made.best_z_um[:, side]))
        found = float(made.planes_um[int(np.argmax(sharp[:, :, side].mean(axis=(1, 2))))])
        assert abs(found - best) <= 0.75


def test_a_lifted_patch_gives_a_stack_of_its_own_size(rng: np.random.Generator) -> None:
    patch = (255 * np.clip(0.7 + 0.2 * gaussian_filter(rng.standard_normal((96, 112, 3)), (2, 2, 0)) * 5, 0, 1)).astype(
        np.uint8
    )
    made = simulate_stack(StackRecipe(3, 112, 96, 3, 2.0, thickness_um=2.0, scanner=Scanner(camera=QUIET)), patch)
    assert made.pictures.shape == (3, 96, 112, 3)
    errors = [np.abs(plane.astype(float) - patch)[8:-8, 8:-8].mean() for plane in made.pictures]
    assert int(np.argmin(errors)) == made.best_plane == 1


def test_spoilt_sections_keep_what_they_are_spoilt_by() -> None:
    phantom, pattern = section_with_artefacts(
        Artefacts(0.5, 1, 2, 5), BlurPattern(), seed=1, width=128, height=128, mpp=0.25, stain="he", thickness_um=3.0,
        slabs=3, kind="mixed",
    )  # fmt: skip
    assert len(pattern.bubbles) == len(phantom.bubbles) == 2
    assert len(phantom.dust) == 5
    assert pattern.waves
    assert 2.5 <= pattern.bubble_um <= 4.0


def test_the_same_seed_writes_the_same_slide(tmp_path: Path) -> None:
    files = [tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", tmp_path / "c.ome.tif"]
    for file, seed in zip(files, (3, 3, 4), strict=True):
        write_simulated_slide(file, seed=seed, width=256, height=192, blur="strip", artefacts=Artefacts(0.5, 0, 0, 4))
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other
