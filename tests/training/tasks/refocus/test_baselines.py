from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from focusviewer.core.files import weights_from
from focusviewer.refocus import get_engine
from focusviewer.training.catalogue import build, find_entry
from focusviewer.training.data.stack_bank import StackBank
from focusviewer.training.lab import train
from focusviewer.training.tasks.refocus import baselines as refocus_baselines
from focusviewer.training.tasks.refocus.baselines import FAR_UM, BaselineSettings, draw_between, draw_blurred, entries
from tests.training.tasks.refocus.steps import losses_on_one_batch

NAMES = [entry.model for entry in entries()]


@pytest.fixture
def bank() -> StackBank:
    """Three fields of noise, blurred by a Gaussian as wide as the distance from focus."""
    rng = np.random.default_rng(5)
    z_um = np.array([-3.0, -1.5, 0.0, 1.2, 2.9], np.float32)
    clean = np.empty((3, len(z_um), 40, 40, 3), np.uint8)
    for field in range(3):
        sharp = gaussian_filter(rng.random((40, 40, 3)), (1, 1, 0))
        sharp = (sharp - sharp.min()) / np.ptp(sharp)
        for plane, z in enumerate(z_um):
            clean[field, plane] = 255 * gaussian_filter(sharp, (abs(z) / 2, abs(z) / 2, 0))
    recorded = np.clip(clean + rng.normal(0, 1, clean.shape), 0, 255).astype(np.uint8)
    return StackBank(recorded, clean, np.tile(z_um, (3, 1)), np.arange(3, dtype=np.int32))


def test_what_is_asked_for_lies_between_what_is_given(bank: StackBank) -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        case = draw_between(bank, rng)
        assert case.given.shape == (2, 40, 40, 3)
        assert min(case.position, 1 - case.position) * case.gap_um >= FAR_UM - 1e-5
        assert not any(np.array_equal(case.wanted, plane) for plane in case.given)


def test_what_is_asked_for_is_in_focus_and_now_and_then_given(bank: StackBank) -> None:
    rng = np.random.default_rng(0)
    cases = [draw_blurred(bank, rng) for _ in range(60)]
    assert all(any(np.array_equal(case.wanted, bank.clean[field, 2]) for field in range(3)) for case in cases)
    in_focus = [any(np.array_equal(case.given[0], bank.recorded[field, 2]) for field in range(3)) for case in cases]
    assert 0 < sum(in_focus) < 20


@pytest.mark.parametrize("name", NAMES)
def test_steps_on_one_batch_lower_its_loss(name: str, bank: StackBank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refocus_baselines, "stack_bank", lambda *_: bank)
    entry = find_entry("refocus", name)
    torch.manual_seed(1)
    task = build(entry, Path(), BaselineSettings(fields=3, crop_px=32, held_out=2))
    task.prepare(replace(entry.defaults, batch=2))
    losses = losses_on_one_batch(task, 1e-4)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["linear-latent", "mprnet-small"])
def test_a_run_gives_an_engine_and_its_card(
    name: str, bank: StackBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refocus_baselines, "stack_bank", lambda *_: bank)
    entry = find_entry("refocus", name)
    task = build(entry, tmp_path, BaselineSettings(fields=3, crop_px=32, held_out=4))
    config = replace(entry.defaults, steps=2, batch=2, validations=1, checkpoint_s=1e9)
    train(task, config, tmp_path / "baselines")
    card = (tmp_path / "baselines" / f"{name}.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("Data", "Command", "Hardware", "Figures", "Limits"))
    with weights_from(tmp_path):
        assert (tmp_path / "baselines" / f"{name}.safetensors").stat().st_size < 1_000_000
        engine = get_engine(name)
        maps = [np.ones((40, 40), np.float32)] * 2
        encoded = engine.encode([bank.recorded[0, 1], bank.recorded[0, 3]], 0.25, (-1.5, 1.2), maps)
        assert engine.render(encoded, 0.3).shape == (40, 40, 3)


def test_a_step_follows_from_its_generator(bank: StackBank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refocus_baselines, "stack_bank", lambda *_: bank)
    entry = find_entry("refocus", "dfi")
    losses = []
    for _ in range(2):
        torch.manual_seed(1)
        task = build(entry, Path(), BaselineSettings(3, 32, 2))
        task.prepare(entry.defaults)
        losses.append(float(task.loss(0, torch.Generator().manual_seed(3))["loss"].detach()))
    assert losses[0] == losses[1]
