"""Readings of the same tissue at two scales."""

from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.evaluation.suites.focus import scales
from focusviewer.evaluation.test_sets.fields import FieldSet
from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.focus.calibration.curve import Calibration, Curve


class _Spread(FocusModel):
    """Says how dark a picture is: in the toy fields below, its distance from focus."""

    name, version, window_px, absolute = "spread", "1", 16, False

    def score_windows(self, pixels: np.ndarray, mpp: float | None = None) -> ScoreGrid:
        return ScoreGrid(np.full((1, 1), pixels.mean(), np.float32), self.window_px, self.window_px)


def _fields() -> FieldSet:
    """Gray fields whose gray value is ten times their level."""
    levels = np.arange(0, 16, dtype=np.float32)[None]
    images = np.broadcast_to((10 * levels)[..., None, None, None], (1, 16, 32, 32, 3)).astype(np.uint8)
    return FieldSet(images, levels, ("toy",), np.zeros(1, bool), 0.25, "toy")


def _calibrate(monkeypatch: pytest.MonkeyPatch, coarse_factor: float) -> None:
    def curve(factor: float) -> Curve:
        return Curve((0.0, 150.0), (0.0, 3.75 * factor))

    known = [
        Calibration("spread", "1", "", mpp, curve(factor), "") for mpp, factor in ((0.25, 1.0), (0.5, coarse_factor))
    ]
    monkeypatch.setattr(scales, "shipped_calibrations", lambda: known)


@pytest.mark.parametrize(("factor", "difference"), [(1.0, 0.0), (2.0, 2 / 3)])
def test_the_difference_between_scales_is_what_was_put_in(
    monkeypatch: pytest.MonkeyPatch, factor: float, difference: float
) -> None:
    _calibrate(monkeypatch, factor)
    far = scales.evaluate_scales(_Spread(), _fields())[-1]
    assert far["images"] == 3
    assert far["coarse_um"] == pytest.approx(factor * far["fine_um"], rel=0.02)
    assert far["difference"] == pytest.approx(difference, abs=0.02)


def test_a_model_without_calibrations_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scales, "shipped_calibrations", list)
    with pytest.raises(UserError, match="no calibration of spread"):
        scales.evaluate_scales(_Spread(), _fields())


def test_averaging_in_twos_halves_a_picture(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (7, 10, 3), dtype=np.uint8)
    small = scales.averaged_in_twos(picture)
    assert small.shape == (3, 5, 3)
    assert abs(int(small[1, 2, 0]) - picture[2:4, 4:6, 0].mean()) <= 0.5
