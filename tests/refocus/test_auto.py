from __future__ import annotations

from pathlib import Path
from threading import Event

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import CancelledError
from focusviewer.optics import defocus_image
from focusviewer.refocus import get_engine
from focusviewer.refocus.auto import MARGIN, best_z, blur_score, search
from focusviewer.slides import Region, open_slide


@pytest.mark.parametrize("best", [0.5, 1.375, 3.0])
def test_the_search_finds_the_lowest_score(best: float) -> None:
    asked: list[float] = []

    def score(z_um: float) -> float:
        asked.append(z_um)
        return abs(z_um - best) * 4

    assert search(score, (0.0,), 2.0, -4.0, 4.0) == pytest.approx(best, abs=0.13)
    assert min(asked) >= 0.0  # with one plane the tissue lies on its positive side
    assert len(asked) <= 14


def test_a_scan_that_is_sharp_already_is_kept() -> None:
    assert search(lambda z_um: abs(z_um) * 4, (0.0,), 0.5, -4, 4) == 0.0
    assert search(lambda z_um: 3.0 - 0.9 * MARGIN * (z_um == 1.0), (0.0,), 1.0, -4, 4) == 0.0


def test_on_a_stack_the_sharpest_plane_is_what_has_to_be_beaten() -> None:
    assert search(lambda z_um: abs(z_um - 1.05), (-1.0, 1.0), 0.0, -5, 5) == 1.0
    assert search(lambda z_um: 4 * abs(z_um), (-1.0, 1.0), 0.0, -5, 5) == 0.0


def test_of_a_long_stack_only_the_surroundings_of_its_sharpest_plane_are_searched() -> None:
    planes = tuple(float(z) for z in range(0, 60, 2))
    asked: list[float] = []

    def score(z_um: float) -> float:
        asked.append(z_um)
        return 4 * abs(z_um - 31)

    assert search(score, planes, 31.0, -4.0, 62.0) == pytest.approx(31, abs=0.13)
    assert len([z_um for z_um in asked if z_um not in planes]) <= 14


def test_planes_are_asked_for_at_their_own_position() -> None:
    planes = (0.0, 0.333333, 0.666667)
    asked: list[float] = []

    def score(z_um: float) -> float:
        asked.append(z_um)
        return abs(z_um - 0.333333)

    assert search(score, planes, 9.0, -4.0, 5.0) == 0.333333
    for plane in planes:  # anything else would be a synthesised picture instead of the scan
        assert min(abs(z_um - plane) for z_um in asked) < 1e-6
    assert max(asked) <= 0.333333 + 4.0


def he(data_dir: Path) -> tuple[RGB, float]:
    with open_slide(data_dir / "patches" / "openslide-crops" / "os-1-he.ome.tif") as slide:
        assert slide.mpp is not None
        return slide.read_region(Region(0, 300, 300, 256, 256)), slide.mpp


def test_auto_finds_the_focus_that_real_tissue_was_blurred_by(data_dir: Path) -> None:
    pixels, mpp = he(data_dir)
    engine = get_engine("fast")
    light = defocus_image(pixels.astype(np.float32) / 255, 1.5, mpp)
    noisy = light + np.random.default_rng(0).normal(0, 0.004, light.shape)
    scan = np.clip(noisy * 255 + 0.5, 0, 255).astype(np.uint8)
    encoded = engine.encode([scan], mpp)
    found = best_z(engine, encoded, -4, 4)
    assert found == pytest.approx(1.5, abs=0.5)
    assert blur_score(engine.render(encoded, found), mpp) < blur_score(scan, mpp) - 1


def test_auto_leaves_sharp_tissue_as_it_was_scanned(data_dir: Path) -> None:
    pixels, mpp = he(data_dir)
    engine = get_engine("fast")
    assert best_z(engine, engine.encode([pixels], mpp), -4, 4) == 0.0


def test_the_search_can_be_cancelled() -> None:
    engine = get_engine("fast")
    encoded = engine.encode([np.full((64, 64, 3), 200, np.uint8)], 0.25)
    cancel = Event()
    cancel.set()
    with pytest.raises(CancelledError):
        best_z(engine, encoded, -4, 4, cancel)
