from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.optics import Section
from focusviewer.optics.camera import Camera
from focusviewer.simulation.sections.slab_imager import SlabImager
from focusviewer.training.data import stacks, volumes
from focusviewer.training.data.systems import System, Transfer, draw_system

pytestmark = pytest.mark.usefixtures("_fast_systems")

NA_RANGE = (0.6, 0.8)
CLEAN = System(0.75, 0.0, (0.0, 0.0, 0.0), False, Camera(noise=0.0))


@pytest.fixture
def _fast_systems(_fast_bank: None, bank: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focusviewer.training.data.systems._bank", lambda: bank)


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    """Three sharp patches, each with a mean of its own, so that crops tell where they are from."""
    rng = np.random.default_rng(2)
    density = [gaussian_filter(rng.standard_normal((112, 112)), 1.0) for _ in range(3)]
    stained = [np.clip(0.3 + 0.4 * d / d.std(), 0, 1.5)[..., None] * [0.6, 0.8, 0.3] for d in density]
    return np.stack([(255 * 10**-d).astype(np.uint8) for d in stained])


def crops(patches: np.ndarray, seed: int, count: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return stacks.simulate_focus_crops(patches, count, 64, 0.5, NA_RANGE, 4.0, seed)


def test_crops_are_bytes_with_distances_and_sources(patches: np.ndarray) -> None:
    images, z_um, source = crops(patches, 3, 40)
    assert images.shape == (40, 64, 64, 3)
    assert images.dtype == np.uint8
    assert z_um.dtype == np.float32
    assert z_um.min() == 0.0
    assert 2.0 < z_um.max() <= 4.0
    assert source.dtype == np.int32
    assert set(source[source < 3]) == {0, 1, 2}
    assert 0.15 < (source >= 3).mean() < 0.4  # phantoms


def test_the_same_seed_gives_the_same_crops_and_another_gives_others(patches: np.ndarray) -> None:
    first, again, other = crops(patches, 3), crops(patches, 3), crops(patches, 4)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


PLANES = stacks.PlaneConfig(crop_px=64, mpp=0.5, planes=3, max_z_um=3.0)


def test_a_batch_of_planes_follows_from_seed_and_step_alone(patches: np.ndarray) -> None:
    straight, jumping = (stacks.PlaneGenerator(patches, PLANES, seed=8) for _ in range(2))
    batches = [straight.batch(step, 6) for step in range(3)]
    late = jumping.batch(2, 6)
    assert late.images.shape == (6, 3, 64, 64, 3)
    np.testing.assert_array_equal(late.images, batches[2].images)
    np.testing.assert_array_equal(late.z_um, batches[2].z_um)
    np.testing.assert_array_equal(late.source, batches[2].source)
    assert not np.array_equal(batches[0].images, batches[1].images)
    assert not np.array_equal(stacks.PlaneGenerator(patches, PLANES, seed=9).batch(2, 6).images, late.images)


def test_planes_lie_on_both_sides_of_focus_and_targets_can_be_clean(patches: np.ndarray) -> None:
    noisy = stacks.PlaneGenerator(patches, PLANES, seed=1).batch(0, 12)
    clean = stacks.PlaneGenerator(patches, replace(PLANES, clean_targets=True), seed=1).batch(0, 12)
    assert noisy.z_um.min() < -0.5 < 0.5 < noisy.z_um.max()
    np.testing.assert_array_equal(noisy.z_um, clean.z_um)
    np.testing.assert_array_equal(noisy.images[:, 0], clean.images[:, 0])
    grain = [np.abs(np.diff(batch.images[:, 1:].astype(float), n=2, axis=3)).mean() for batch in (noisy, clean)]
    assert grain[1] < grain[0]


def test_patches_smaller_than_a_crop_are_refused(patches: np.ndarray) -> None:
    with pytest.raises(ValueError, match="112 px"):
        stacks.simulate_focus_crops(patches, 4, 128, 0.25, NA_RANGE, 4.0, 0)


def test_patches_without_structure_are_passed_over(patches: np.ndarray) -> None:
    with_glass = np.concatenate([patches, np.full_like(patches[:1], 245)])
    _, _, source = crops(with_glass, 5, 40)
    assert 3 not in source
    assert (source > 3).any()


def test_a_field_loses_detail_with_distance(patches: np.ndarray) -> None:
    light = np.moveaxis(patches[0].astype(np.float32) / 255, -1, 0)
    imager = volumes.VolumeImager(volumes.thin_volume(light), CLEAN, 0.25)
    detail = [np.diff(imager.image(z, 24, 64), axis=0).std() for z in (0.0, 0.8, 1.6, 3.2)]
    assert detail == sorted(detail, reverse=True)
    assert detail[-1] < 0.3 * detail[0]


def test_a_thin_field_in_focus_is_the_patch(rng: np.random.Generator) -> None:
    # Of what a lens can pass, that is: beyond its cut-off an image holds nothing but noise.
    light = 0.5 + gaussian_filter(rng.standard_normal((3, 112, 112)).astype(np.float32), (0, 1.5, 1.5))
    light = np.clip(light, 0.05, 1.0)
    seen = volumes.VolumeImager(volumes.thin_volume(light), CLEAN, 0.25).image(0.0, 24, 64)
    assert np.abs(seen - np.moveaxis(light, 0, -1)[24:88, 24:88]).max() < 0.02


def test_volumes_are_imaged_as_the_slab_imager_images_them(rng: np.random.Generator) -> None:
    density = 0.3 * rng.random((3, 3, 96, 96)).astype(np.float32)
    z_um = np.array([-1.0, 0.0, 1.2], np.float32)
    volume = volumes.Volume(density, z_um, False, 0.0)
    fast = volumes.VolumeImager(volume, CLEAN, 0.25).image(0.5, 0, 96)
    slow = SlabImager(density, z_um, 0.25).image(0.5)
    assert np.abs(fast - np.moveaxis(slow, 0, -1)).max() < 0.01


def test_focus_lies_where_the_detail_is() -> None:
    density = np.zeros((3, 3, 64, 64), np.float32)
    density[2, :, 20:44:4] = 0.5
    assert volumes.detail_depth(density, np.array([-2, 0, 2], np.float32), 32) == pytest.approx(2.0, abs=0.01)


def test_systems_differ_and_stay_within_their_apertures(rng: np.random.Generator) -> None:
    systems = [draw_system(rng, NA_RANGE) for _ in range(200)]
    assert all(0.6 <= system.na <= 0.8 for system in systems)
    assert {system.camera.monochrome for system in systems} == {True, False}
    qualities = [system.camera.jpeg_quality for system in systems if system.camera.jpeg_quality]
    assert 65 <= min(qualities) < 75 < 85 < max(qualities) <= 95
    noise = np.array([system.camera.noise for system in systems])
    assert 0.002 < np.median(noise) < 0.008 < noise.max() <= 0.014


def test_transfer_relative_to_focus_is_one_in_focus() -> None:
    table = Transfer(CLEAN, 0.25, through_lens=True).at(np.array([0.0, 2.0]), 1)
    assert np.abs(table[0, :600] - 1).max() < 0.02
    assert table[1].min() < 0


def test_a_lifted_patch_adds_up_to_the_patch(patches: np.ndarray, rng: np.random.Generator) -> None:
    light = np.moveaxis(patches[2].astype(np.float32) / 255, -1, 0)
    volume = volumes.lifted_volume(light, 0.25, 64, rng)
    section = Section(np.moveaxis(volume.density, 1, -1), volume.z_um, 0.25, volume.through_lens)
    assert section.through_lens
    assert np.abs(10.0 ** -volume.density.sum(axis=0) - light).max() < 1e-3
    assert abs(volume.focus_um) < 1.5
