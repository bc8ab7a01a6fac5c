from __future__ import annotations

import itertools

import numpy as np
import pytest

from focusviewer.refocus.fast import joint
from focusviewer.refocus.fast.belief import depth_grid
from focusviewer.refocus.fast.joint import JointOperators, nearness
from focusviewer.refocus.fast.operators import SCANNER, operator_bank, relative_transfer

MPP = 0.25


def operators(zs: tuple[float, ...]) -> JointOperators:
    return JointOperators(zs, depth_grid(zs), MPP)


def passed(coefficients: np.ndarray) -> np.ndarray:
    """Transfer functions that coefficients (..., J + 1) stand for: (..., F)."""
    basis = operator_bank(MPP).basis
    return coefficients @ np.concatenate([basis.reshape(len(basis), -1), np.ones((1, basis[0].size))])


def at_depth(zs: tuple[float, ...], depth_um: float, target_um: float) -> np.ndarray:
    """Filters of all planes for tissue at a depth: (n, F)."""
    return passed(operators(zs).at(target_um)[np.argmin(np.abs(depth_grid(zs) - depth_um))])


def seen(depth_um: float, z_um: float) -> np.ndarray:
    return relative_transfer(operator_bank(MPP).frequency, abs(depth_um - z_um), SCANNER).ravel()


def energy(values: np.ndarray) -> float:
    """Mean square over frequencies as a picture has them, up to those that tissue has."""
    frequency = np.tile(operator_bank(MPP).frequency, 3)
    return float(np.square(values[frequency < 1]).mean())


@pytest.mark.parametrize("zs", [(0.0, 1.5), (-1.0, 0.5, 3.0), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)])
def test_at_an_acquired_plane_the_operators_are_that_plane(zs: tuple[float, ...]) -> None:
    for place, z_um in enumerate(zs):
        found = passed(operators(zs).at(z_um))
        assert np.allclose(found, np.eye(len(zs))[place][:, None], atol=0.02)


@pytest.mark.parametrize(("depth_um", "target_um"), [(0.0, 0.75), (1.0, 0.75), (3.0, 0.75), (0.75, 1.0)])
def test_two_planes_together_come_closer_than_each_and_than_their_mixture(depth_um: float, target_um: float) -> None:
    zs = (0.0, 1.5)
    through = [seen(depth_um, z) for z in zs]
    made = (at_depth(zs, depth_um, target_um) * through).sum(axis=0)
    wanted, shares = seen(depth_um, target_um), nearness(zs, target_um)
    missed = energy(made - wanted)
    assert missed < 0.7 * energy(shares @ np.stack(through) - wanted) + 1e-5
    assert missed < 0.8 * min(energy(plane - wanted) for plane in through) + 1e-5


def test_where_one_plane_passes_nothing_the_other_fills_in() -> None:
    zs, depth = (-3.0, 2.25), 0.0
    blind = np.abs(seen(depth, zs[0])) < 0.03
    blind &= (np.abs(seen(depth, zs[1])) > 0.2) & (np.tile(operator_bank(MPP).frequency, 3) < 1)
    made = (at_depth(zs, depth, 0.0) * [seen(depth, z) for z in zs]).sum(axis=0)
    assert blind.sum() > 3
    assert np.abs(made[blind]).mean() > 0.5


def test_light_is_neither_added_nor_lost() -> None:
    for target in (-3.0, -0.4, 0.3, 1.0, 4.0):
        found = passed(operators((-0.5, 1.5)).at(target)).reshape(-1, 2, 3, operator_bank(MPP).frequency.size)
        assert found[..., 0].sum(axis=1) == pytest.approx(1.0, abs=1e-3)  # a quarter of a gray level


def test_noise_of_planes_that_are_alike_averages() -> None:
    found = at_depth((-0.5, 0.5), 0.0, 0.0)
    assert np.square(found).sum(axis=0).mean() < 0.7


def test_operators_turn_smoothly_from_window_to_window() -> None:
    zs = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert len(zs) > joint.WINDOW
    found = operators(zs)
    series = [passed(found.at(target)) for target in np.arange(1.5, 3.51, 0.05)]
    steps = [np.sqrt(np.square(a - b).mean()) for a, b in itertools.pairwise(series)]
    assert max(steps) < 3 * np.median(steps)


def test_planes_that_explain_each_other_are_refocused_further() -> None:
    zs, depth = (-2.0, 1.5), 0.0
    place = np.argmin(np.abs(depth_grid(zs) - depth))
    missed = []
    for unexplained in (0.0, 0.03, 1.0):
        made = passed(JointOperators(zs, depth_grid(zs), MPP, unexplained).at(0.0)[place])
        missed.append(energy((made * [seen(depth, z) for z in zs]).sum(axis=0) - 1))
    assert missed == sorted(missed)
    assert missed[0] < 0.8 * missed[-1]


def test_far_planes_of_many_are_left_alone() -> None:
    zs = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    found = operators(zs).at(1.4)
    used = found.any(axis=(0, 2))
    assert used.tolist() == [True, True, True, True, False, False]


def test_a_map_of_targets_equals_its_targets_one_by_one(rng: np.random.Generator) -> None:
    zs = (0.0, 1.5, 3.0)
    weights = rng.random((depth_grid(zs).size, 4, 5), dtype=np.float32)
    weights /= weights.sum(axis=0)
    targets = np.linspace(-1, 3.5, 20, dtype=np.float32).reshape(4, 5)
    mixed = passed(np.moveaxis(operators(zs).cells(weights, targets), 1, -1))
    for y, x in itertools.product(range(4), range(5)):
        alone = operators(zs).cells(weights[:, y : y + 1, x : x + 1], targets[y : y + 1, x : x + 1])
        assert np.sqrt(np.square(mixed[:, y, x] - passed(alone[:, :, 0, 0])).mean()) < 0.02


def test_a_map_meets_acquired_planes_exactly() -> None:
    zs = (0.0, 1.5)
    weights = np.full((depth_grid(zs).size, 2, 2), 1 / depth_grid(zs).size, np.float32)
    cells = operators(zs).cells(weights, np.array([[0.0, 0.7], [1.5, 2.0]], np.float32))
    assert not cells[:, :-1, 0, 0].any()
    assert cells[:, -1, 0, 0].tolist() == [1, 0]
    assert cells[:, -1, 1, 0].tolist() == [0, 1]


def test_operators_do_not_depend_on_where_the_axis_begins() -> None:
    here, there = operators((0.0, 1.5)).at(0.6), operators((40.0, 41.5)).at(40.6)
    assert np.allclose(passed(here), passed(there), atol=1e-3)


@pytest.mark.parametrize(("target", "shares"), [(-1.0, [1, 0, 0]), (0.5, [0.5, 0.5, 0]), (5.0, [0, 0, 1])])
def test_nearness_is_that_to_the_neighbours(target: float, shares: list[float]) -> None:
    assert nearness((0.0, 1.0, 3.0), target).tolist() == shares
