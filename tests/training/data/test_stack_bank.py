from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.training.data import simulator
from focusviewer.training.data import stack_bank as module
from focusviewer.training.data.stack_bank import StackBank, StackBankConfig, draw_case, signed_planes, stack_bank

SMALL = StackBankConfig(fields=4, planes=5, crop_px=32, max_z_um=2.0)


@pytest.fixture
def stacks() -> StackBank:
    """Stacks without pictures: planes are what matters."""
    rng = np.random.default_rng(4)
    z_um = np.stack([module.spread_planes(10, 4.0, rng) for _ in range(8)])
    empty = np.empty((8, 10, 0, 0, 3), np.uint8)
    return StackBank(empty, empty, z_um, np.arange(8, dtype=np.int32))


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaussian blur in place of the lens's table, which takes a while, and no phantoms, which take longer."""
    waves = np.linspace(-simulator.WAVES_MAX, simulator.WAVES_MAX, 131)[:, None]
    blur = np.exp(-np.square(waves * np.linspace(0, 1, simulator.FREQUENCIES)))
    shape = (len(simulator.NAS), len(simulator.SPHERICAL), *blur.shape)
    table = np.broadcast_to(blur.astype(np.float32), shape)
    monkeypatch.setattr("focusviewer.training.data.systems._bank", lambda: table)
    monkeypatch.setattr(module, "SHARES", {"thin": 0.6, "lifted": 0.4})


@pytest.mark.usefixtures("_quick")
def test_equal_seeds_make_equal_banks_and_a_broken_one_is_completed(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 2)
    first = stack_bank(tiny_data, "train", SMALL)
    recorded, clean, z_um = np.array(first.recorded), np.array(first.clean), first.z_um.copy()
    folder = module.stack_bank_folder(tiny_data, "train", SMALL)
    made = (folder / "piece-0000.npz").stat().st_mtime_ns
    (folder / "piece-0001.npz").unlink()  # as if the making had been broken off
    np.lib.format.open_memmap(folder / "recorded.npy", mode="r+")[2:] = 7
    again = stack_bank(tiny_data, "train", SMALL)
    assert (folder / "piece-0000.npz").stat().st_mtime_ns == made
    assert np.array_equal(again.recorded, recorded)
    assert np.array_equal(again.clean, clean)
    assert np.array_equal(again.z_um, z_um)
    assert again.recorded.shape == (4, 5, 32, 32, 3)


@pytest.mark.usefixtures("_quick")
def test_the_sides_of_the_split_differ_and_one_plane_of_each_stack_is_in_focus(tiny_data: Path) -> None:
    train, held_out = (stack_bank(tiny_data, split, SMALL) for split in ("train", "validation"))
    assert len(train) == 4
    assert len(held_out) == 1
    assert not np.array_equal(train.recorded[0], held_out.recorded[0])
    for bank in (train, held_out):
        assert (bank.z_um == 0).sum(axis=1).tolist() == [1] * len(bank)
        assert (np.diff(bank.z_um, axis=1) > 0).all()
        assert np.abs(bank.z_um).max() <= SMALL.max_z_um


@pytest.mark.parametrize("inputs", [1, 2, 3, 5])
def test_targets_are_never_given_and_no_plane_near_them_is(stacks: StackBank, inputs: int) -> None:
    rng = np.random.default_rng(1)
    targets = set()
    for _ in range(60):
        row = int(rng.integers(len(stacks)))
        given, target = draw_case(stacks, row, inputs, rng)
        assert len(set(given)) == inputs
        assert given == sorted(given)
        assert target not in given
        assert np.abs(stacks.z_um[row][given] - stacks.z_um[row][target]).min() >= 0.5
        targets.add(target)
    assert len(targets) > 5


def test_equal_generators_draw_equal_cases(stacks: StackBank) -> None:
    draws = [[draw_case(stacks, row, 3, rng) for row in range(8)] for rng in map(np.random.default_rng, (9, 9, 10))]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_a_target_can_be_asked_for(stacks: StackBank) -> None:
    rng = np.random.default_rng(2)
    assert {draw_case(stacks, 0, 2, rng, target=3)[1] for _ in range(10)} == {3}
    with pytest.raises(ValueError, match="too few"):
        draw_case(stacks, 0, 9, rng, far_um=2.0)


def test_one_plane_has_its_tissue_on_the_positive_side(stacks: StackBank) -> None:
    z_um = stacks.z_um[0]
    assert np.array_equal(signed_planes(stacks, 0, [9]), -z_um)
    assert np.array_equal(signed_planes(stacks, 0, [0]), z_um)
    assert np.array_equal(signed_planes(stacks, 0, [8, 9]), z_um)
