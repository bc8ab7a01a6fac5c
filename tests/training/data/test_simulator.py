from __future__ import annotations

import numpy as np
import pytest

from focusviewer.optics import Optics
from focusviewer.optics.camera import Camera
from focusviewer.optics.formation import relative_otf
from focusviewer.training.data.systems import BINS, System, Transfer, draw_system
from focusviewer.training.data.volumes import VolumeImager, thin_volume

NA_RANGE = (0.55, 0.8)
MPP = 0.25


@pytest.fixture(autouse=True)
def _fast_systems(bank: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focusviewer.training.data.systems._bank", lambda: bank)


def plain(na: float) -> System:
    """A scanner without aberration, axial colour, noise and compression."""
    return System(na, 0.0, (0.0, 0.0, 0.0), False, Camera(noise=0.0))


def test_the_table_of_the_simulator_agrees_with_the_optics() -> None:
    frequency = np.hypot(np.fft.fftfreq(64, MPP)[:, None], np.fft.rfftfreq(64, MPP)[None])
    places = np.rint(frequency / (np.sqrt(0.5) / MPP) * (BINS - 1)).astype(int)
    transfer = Transfer(plain(0.7), MPP, through_lens=True)
    for z_um in (1.0, 2.5):
        expected = relative_otf((64, 64), MPP, z_um, Optics(na=0.7))
        for channel in range(3):
            (radial,) = transfer.at(np.array([z_um]), channel)
            assert np.abs(radial[places] - expected[channel]).max() < 0.04


def test_the_same_seed_gives_the_same_pixels() -> None:
    light = np.random.default_rng(1).random((3, 112, 112)).astype(np.float32)

    def shot(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        system = draw_system(rng, NA_RANGE)
        imager = VolumeImager(thin_volume(light), system, MPP)
        return np.stack([system.camera.capture(imager.image(z, 24, 64), rng) for z in (0.0, 1.0, 3.0)])

    np.testing.assert_array_equal(shot(4), shot(4))
    assert not np.array_equal(shot(4), shot(5))


def test_more_defocus_leaves_less_detail() -> None:
    light = np.random.default_rng(2).random((3, 112, 112)).astype(np.float32)
    imager = VolumeImager(thin_volume(light), plain(0.7), MPP)
    detail = [float(np.square(np.diff(imager.image(z, 24, 64), axis=1)).mean()) for z in (0.5, 1.0, 2.0, 4.0)]
    assert detail == sorted(detail, reverse=True)


def test_recorded_values_are_bytes() -> None:
    rng = np.random.default_rng(2)
    for _ in range(6):
        image = draw_system(rng, NA_RANGE).camera.capture(rng.random((64, 64, 3)).astype(np.float32), rng)
        assert image.dtype == np.uint8 and image.shape == (64, 64, 3)
        assert np.ptp(image) > 50
