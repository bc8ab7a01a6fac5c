from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import CancelledError
from focusviewer.optics import defocus_image
from focusviewer.refocus import get_engine
from focusviewer.refocus.modes import RefocusRequest
from focusviewer.refocus.regions import layout, planning, tiling
from focusviewer.slides import Slide, open_slide

SIZE = (250, 380)


def grains(seed: int = 3) -> np.ndarray:
    """Dark grains of several sizes on a light ground, finer on the left: float32 (H, W, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    fine, coarse = (gaussian_filter(rng.standard_normal(SIZE), sigma) for sigma in (1.2, 4.0))
    share = np.linspace(0, 1, SIZE[1])
    density = np.clip(0.3 + 0.25 * ((1 - share) * fine / fine.std() + coarse / coarse.std()), 0, 1.2)
    return (10 ** -(density[..., None] * np.array([0.5, 0.8, 0.3]))).astype(np.float32)


def scanned(light: np.ndarray, z_um: float, mpp: float) -> RGB:
    blurred = light if z_um == 0 else defocus_image(light, z_um, mpp)
    noisy = blurred + np.random.default_rng(1).normal(0, 0.004, light.shape)
    return np.clip(noisy * 255 + 0.5, 0, 255).astype(np.uint8)


@pytest.fixture
def slide_of(tmp_path: Path) -> Callable[..., Slide]:
    def make(planes_um: tuple[float, ...], mpp: float) -> Slide:
        light = grains()
        folder = tmp_path / f"planes {mpp}"
        folder.mkdir()
        for index, z_um in enumerate(planes_um):
            Image.fromarray(scanned(light, z_um, mpp)).save(folder / f"z{index}.png")
        return open_slide(folder if len(planes_um) > 1 else folder / "z0.png", mpp=mpp)

    return make


def steps(tiled: RGB, whole: RGB) -> float:
    """Largest mean step between neighbouring rows or columns that the picture in one piece does not have."""
    added = tiled.astype(np.float32) - whole
    across = np.abs(np.diff(added, axis=1)).mean(axis=(0, 2))
    down = np.abs(np.diff(added, axis=0)).mean(axis=(1, 2))
    return float(max(across.max(), down.max()))


INSIDE = (60, 40, 260, 170)
"""A view away from the border of the slide, where an engine has to make up what lies beyond."""

TILT = np.linspace(-1, 3, INSIDE[2], dtype=np.float32)[None].repeat(INSIDE[3], 0)


@pytest.mark.parametrize(
    ("planes_um", "wanted", "mpp"),
    [
        ((2.0,), RefocusRequest("refocus", 2.0), 0.25),
        ((2.0,), RefocusRequest("refocus", 2.0), 0.5),
        ((2.0,), RefocusRequest("assume", 3.0), 0.25),
        ((2.0,), RefocusRequest("map", map_um=TILT), 0.25),
        ((2.0,), RefocusRequest("all-in-focus"), 0.5),
        ((-1.0, 1.5), RefocusRequest("interpolate", 0.4), 0.25),
    ],
)
def test_tiles_leave_no_step_in_any_mode(
    slide_of: Callable[..., Slide],
    monkeypatch: pytest.MonkeyPatch,
    planes_um: tuple[float, ...],
    wanted: RefocusRequest,
    mpp: float,
) -> None:
    engine = get_engine("fast")
    with slide_of(planes_um, mpp) as slide:
        positions = planes_um if len(planes_um) > 1 else (0.0,)
        view = layout.View(slide, INSIDE, tuple(range(len(planes_um))), positions, mpp)
        whole = tiling.refocus_view(view, engine, wanted)
        monkeypatch.setattr(layout, "TILE_PX", 150)
        tiled = tiling.refocus_view(view, engine, wanted)
    assert np.abs(tiled.pixels - scanned(grains(), planes_um[0], mpp)[40:210, 60:320].astype(float)).mean() > 1
    assert steps(tiled.pixels, whole.pixels) < 1.0


def test_acquired_pixels_are_given_as_they_are_where_a_map_asks_for_them(slide_of: Callable[..., Slide]) -> None:
    engine = get_engine("fast")
    target = np.full(SIZE, 0.6, np.float32)
    target[:, :150] = 1.5
    target[:100] = -1.0
    with slide_of((-1.0, 1.5), 0.25) as slide:
        view = layout.View(slide, (0, 0, SIZE[1], SIZE[0]), (0, 1), (-1.0, 1.5), 0.25)
        result = tiling.refocus_view(view, engine, RefocusRequest("map", map_um=target))
    below, above = (scanned(grains(), z_um, 0.25) for z_um in (-1.0, 1.5))
    assert result.z_um is None
    np.testing.assert_array_equal(result.pixels[:100], below[:100])
    np.testing.assert_array_equal(result.pixels[100:, :150], above[100:, :150])
    assert not np.array_equal(result.pixels[100:, 150:], above[100:, 150:])


def test_every_focus_of_a_play_is_what_it_is_alone(
    slide_of: Callable[..., Slide], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = get_engine("fast")
    monkeypatch.setattr(layout, "TILE_PX", 180)
    seen: list[float] = []
    with slide_of((2.0,), 0.25) as slide:
        view = layout.View(slide, (10, 20, 300, 200), (0,), (0.0,), 0.25)
        pictures = tiling.render_each(view, engine, [0.0, 1.25], seen.append)
        alone = tiling.refocus_view(view, engine, RefocusRequest("refocus", 1.25))
    np.testing.assert_array_equal(pictures[0], scanned(grains(), 2.0, 0.25)[20:220, 10:310])
    np.testing.assert_array_equal(pictures[1], alone.pixels)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("z_um", [0.0, -1.0])
def test_progress_ends_at_the_end(slide_of: Callable[..., Slide], z_um: float) -> None:
    seen: list[float] = []
    with slide_of((2.0,), 0.25) as slide:
        view = layout.View(slide, (0, 0, 120, 90), (0,), (0.0,), 0.25)
        tiling.refocus_view(view, get_engine("fast"), RefocusRequest("defocus", z_um), seen.append)
    assert seen[-1] == 1.0


def test_few_places_of_a_long_strip_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.full((20, 20_000, 3), 200, np.uint8)).save(tmp_path / "strip.png")
    looked: list[object] = []
    monkeypatch.setattr(planning, "read_tile", lambda *args: looked.append(args) or np.zeros((2, 2, 3), np.uint8))
    with open_slide(tmp_path / "strip.png", mpp=0.25) as slide:
        view = layout.View(slide, (0, 0, 20_000, 20), (0,), (0.0,), 0.25)
        places = planning._telling_places(view, 8)
    assert len(places) == 8
    assert len(looked) <= 32


def test_a_small_map_is_stretched_alike_in_every_tile(slide_of: Callable[..., Slide]) -> None:
    small = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]], np.float32)
    with slide_of((2.0,), 0.25) as slide:
        view = layout.View(slide, (0, 0, 300, 200), (0,), (0.0,), 0.25)
        whole = layout.map_part(small, view, layout.Tile((0, 300), (0, 200), (0, 0, 0, 0)))
        part = layout.map_part(small, view, layout.Tile((90, 180), (30, 90), (10, 5, 20, 0)))
    assert whole.shape == (200, 300)
    np.testing.assert_allclose(part, whole[25:90, 80:200], atol=1e-6)
    assert whole[0, 0] == 0.0
    assert whole[100, 150] == pytest.approx(1.5, abs=0.02)


def test_work_ends_when_it_is_cancelled(slide_of: Callable[..., Slide], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "TILE_PX", 180)
    cancel = Event()
    with slide_of((2.0,), 0.25) as slide:
        view = layout.View(slide, (0, 0, SIZE[1], SIZE[0]), (0,), (0.0,), 0.25)
        with pytest.raises(CancelledError):
            tiling.refocus_view(
                view, get_engine("fast"), RefocusRequest("refocus", 1.0), lambda done: cancel.set(), cancel
            )
