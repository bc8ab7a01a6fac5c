"""Bare glass stays as it was scanned, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.refocus.fast.glass import clearance, left_alone
from focusviewer.refocus.registry import get_engine

SPECK = (60, 68)  # rows and columns


def glass(side: int = 128, level: int = 242) -> RGB:
    """Noise, and the coloured blocks of a lossy file."""
    rng = np.random.default_rng(1)
    blocks = rng.normal(0, 1.5, (side // 16, side // 16, 3)).repeat(16, axis=0).repeat(16, axis=1)
    return np.clip(level + blocks + rng.normal(0, 2, (side, side, 3)), 0, 255).round().astype(np.uint8)


def with_speck(side: int = 128, change: int = -60) -> RGB:
    picture = glass(side).astype(int)
    picture[slice(*SPECK), slice(*SPECK)] += change
    return np.clip(picture, 0, 255).astype(np.uint8)


def test_a_view_of_glass_is_clear_everywhere() -> None:
    assert np.isinf(clearance(glass())).all()


def test_a_shade_across_the_glass_is_no_tissue() -> None:
    shaded = np.clip(glass().astype(int) + np.linspace(-3, 3, 128).astype(int)[:, None], 0, 255).astype(np.uint8)
    assert np.isinf(clearance(shaded)).all()


@pytest.mark.parametrize("change", [-60, -20, 12])
def test_clearance_is_the_distance_from_a_speck_dark_or_bright(change: int) -> None:
    found = clearance(with_speck(change=change))
    assert found[16, 16] == 0
    assert found[16, 30] == pytest.approx(4 * 14, abs=12)
    assert found[2, 16] > found[8, 16] > 0


@pytest.mark.parametrize("level", [150, 60, 5])
def test_a_dark_view_shows_no_glass(level: int) -> None:
    assert not clearance(glass(level=level)).any()


def test_texture_too_fine_for_a_shade_is_no_glass() -> None:
    picture = glass().astype(int)
    picture[:, :64] += (np.indices((128, 64)).sum(axis=0) % 2 * 24 - 12)[..., None]
    found = clearance(np.clip(picture, 0, 255).astype(np.uint8))
    assert not found[:, :14].any()
    assert found[:, 22:].all()


def test_glass_is_left_alone_from_where_the_light_of_tissue_ends() -> None:
    distances = np.arange(0, 80, 2, dtype=np.float32)[None]
    near, far = (left_alone(distances, shift, 0.25) for shift in (1.0, 4.0))
    assert near[0, 0] == far[0, 0] == 0
    assert near[0, -1] == far[0, -1] == 1
    assert (np.diff(near) >= 0).all()
    assert near.sum() > far.sum()
    coarse, fine = (left_alone(factor * distances, 2.0, 0.5 / factor) > 0 for factor in (1, 2))
    assert np.array_equal(coarse, fine)  # the same place, in pixels of half the size
    assert 0 < coarse.sum() < coarse.size


@pytest.mark.parametrize("planes_um", [(0.0,), (0.0, 2.0)])
@pytest.mark.parametrize("target_um", [1.0, 4.0, -3.0])
def test_empty_background_stays_empty(planes_um: tuple[float, ...], target_um: float) -> None:
    planes = [glass() for _ in planes_um]
    engine = get_engine("fast")
    found = engine.render(engine.encode(planes, 0.25, planes_um), target_um)
    assert np.abs(found.astype(int) - planes[0]).max() <= 1


def test_dust_on_the_glass_is_blurred_and_the_glass_around_it_is_not() -> None:
    picture = with_speck()
    engine = get_engine("fast")
    change = np.abs(engine.render(engine.encode([picture], 0.25), 4.0).astype(int) - picture).max(axis=2)
    assert change[slice(*SPECK), slice(*SPECK)].min() > 10
    assert change[:30].max() == change[:, 100:].max() == 0
