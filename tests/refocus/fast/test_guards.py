from __future__ import annotations

import numpy as np
import pytest

from focusviewer.refocus.fast.guards import hold_back, refraction

BLURS = np.array([0.0, 0.5, 2.0], np.float32)


def cells(view: np.ndarray) -> np.ndarray:
    """Round dark cells on glass; float (H, W) distance to the nearest cell's edge, negative inside."""
    y, x = np.mgrid[: view.shape[0], : view.shape[1]]
    return np.minimum.reduce([np.hypot(y - cy, x - cx) - 14 for cy, cx in [(30, 30), (80, 90), (110, 40)]])


def smear(rim: float) -> np.ndarray:
    view = np.full((140, 140), 0.88)
    distance = cells(view)
    view[distance < 0] = 0.5
    view[(distance >= 0) & (distance < 3)] += rim
    return np.repeat((view * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_rims_brighter_than_glass_tell_a_refracting_specimen() -> None:
    assert refraction(smear(0.1)) > 0.7
    assert refraction(smear(0.0)) == 0.0


def test_saturated_rims_are_rims_but_saturated_glass_is_glass() -> None:
    assert refraction(smear(0.12)) > 0.7
    white = smear(0.0)
    white[white > 200] = 253
    assert refraction(white) == 0.0


def test_a_view_without_glass_is_never_called_refracting(rng: np.random.Generator) -> None:
    assert refraction(rng.integers(60, 200, (100, 100, 3), dtype=np.uint8)) == 0.0


def belief(index: int) -> np.ndarray:
    weights = np.zeros((3, 20, 20), np.float32)
    weights[index] = 1
    return weights


def test_clear_defocus_is_left_to_the_operators() -> None:
    assert np.allclose(hold_back(belief(2), BLURS, 0.0), belief(2))


def test_slight_doubts_about_focus_are_dropped() -> None:
    weights = 0.9 * belief(0) + 0.1 * belief(2)
    held = hold_back(weights, BLURS, 0.0)
    assert np.allclose(held[0], 1.0)


def test_refraction_stops_all_sharpening() -> None:
    assert np.allclose(hold_back(belief(2), BLURS, 1.0)[0], 1.0)


@pytest.mark.parametrize("refracting", [0.0, 0.4, 1.0])
def test_belief_still_sums_to_one(refracting: float, rng: np.random.Generator) -> None:
    weights = rng.random((3, 20, 20)).astype(np.float32)
    weights /= weights.sum(axis=0)
    assert np.allclose(hold_back(weights, BLURS, refracting).sum(axis=0), 1.0, atol=1e-5)
