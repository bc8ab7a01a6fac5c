"""What is drawn onto simulated pictures: each imperfection does what it says, and none when none is asked for."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.core.arrays import RGB
from focusviewer.training.data.imperfections import Imperfections, record

NONE = Imperfections(**{item.name: 0.0 for item in fields(Imperfections)})


def _texture(seed: int) -> RGB:
    grain = gaussian_filter(np.random.default_rng(seed).standard_normal((64, 64, 3)), (1.5, 1.5, 0))
    return np.asarray(np.clip(128 + 120 * grain, 0, 255), dtype=np.uint8)


SHARP, OTHER = _texture(1), _texture(2)
BLURRED = np.asarray(gaussian_filter(SHARP.astype(np.float32), (2, 2, 0)), np.uint8)


def _drawn(what: Imperfections, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return record(BLURRED, SHARP, OTHER, what, 0.25, np.random.default_rng(seed))


def test_without_any_the_pictures_stay_as_they_are() -> None:
    scan, wanted = _drawn(NONE)
    np.testing.assert_allclose(scan * 255, BLURRED, atol=1e-3)
    np.testing.assert_allclose(wanted * 255, SHARP, atol=1e-3)


def test_softness_is_that_of_both_pictures() -> None:
    drawn = [_drawn(replace(NONE, soft_share=1.0, soft_px=3.0), seed) for seed in range(8)]
    softest_scan, softest = min(drawn, key=lambda pair: float(pair[1].std()))
    assert softest.std() < 0.8 * (SHARP / 255).std()
    assert softest_scan.std() < 0.95 * (BLURRED / 255).std()


@pytest.mark.parametrize(
    "what",
    [
        replace(NONE, transfer_share=1.0, transfer_error=0.3),
        replace(NONE, foreign_share=1.0, foreign_power=0.3),
        replace(NONE, noise_share=1.0, noise=0.05),
        replace(NONE, jpeg_share=1.0),
    ],
)
def test_what_the_camera_and_the_specimen_add_is_in_the_scan_alone(what: Imperfections) -> None:
    scan, wanted = _drawn(what)
    np.testing.assert_allclose(wanted * 255, SHARP, atol=1e-3)
    assert np.abs(scan * 255 - BLURRED).mean() > 0.3
    assert abs(float(scan.mean() * 255 - BLURRED.mean())) < 3


def test_a_gray_field_is_gray_in_both() -> None:
    for picture in _drawn(replace(NONE, gray_share=1.0)):
        assert np.ptp(picture, axis=-1).max() < 0.005


def test_equal_seeds_draw_equal_pictures() -> None:
    first, again, other = (_drawn(Imperfections(), seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
