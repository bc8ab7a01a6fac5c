from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from focusviewer.optics import Optics
from focusviewer.optics.formation import relative_otf
from focusviewer.training.data.simulator import DefocusSimulator, Draw

pytestmark = pytest.mark.usefixtures("_fast_bank")


def plain(draw: Draw) -> Draw:
    """The same draw without aberration, axial colour, noise and compression."""
    return replace(
        draw,
        shift_um=torch.zeros_like(draw.shift_um),
        spherical=torch.ones_like(draw.spherical),
        noise=torch.zeros_like(draw.noise),
        jpeg=torch.zeros_like(draw.jpeg),
    )


def test_the_batch_simulator_agrees_with_the_optics() -> None:
    simulator = DefocusSimulator(0, na_range=(0.7, 0.7001))
    transfer = simulator.transfer(plain(simulator.draw(2)), torch.tensor([1.0, 2.5]), (64, 64), 0.25)
    for row, z_um in zip(transfer, (1.0, 2.5), strict=True):
        assert np.abs(row.numpy() - relative_otf((64, 64), 0.25, z_um, Optics(na=0.7))).max() < 0.04


def test_the_same_seed_gives_the_same_pixels() -> None:
    def shot(seed: int) -> torch.Tensor:
        simulator = DefocusSimulator(seed)
        light = torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(1))
        draw = simulator.draw(3)
        blurred = simulator.defocus(simulator.tone(light, draw), draw, torch.tensor([0.0, 1.0, 3.0]), 0.25)
        return simulator.record(simulator.untone(blurred, draw), draw)

    assert torch.equal(shot(4), shot(4))
    assert not torch.equal(shot(4), shot(5))


def test_more_defocus_leaves_less_detail() -> None:
    simulator = DefocusSimulator(1)
    light = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2)).expand(4, -1, -1, -1)
    draw = plain(simulator.draw(1))
    draw = Draw(**{name: value.expand(4, *value.shape[1:]) for name, value in vars(draw).items()})
    blurred = simulator.defocus(light, draw, torch.tensor([0.5, 1.0, 2.0, 4.0]), 0.25)
    detail = [float(image.diff(dim=2).square().mean()) for image in blurred]
    assert detail == sorted(detail, reverse=True)


def test_recorded_values_are_bytes() -> None:
    simulator = DefocusSimulator(2)
    draw = simulator.draw(6)
    image = simulator.record(torch.rand(6, 3, 64, 64), draw) * 255
    assert float((image - image.round()).abs().max()) < 1e-3
    assert float(image.min()) >= 0
    assert float(image.max()) <= 255
