"""The task of the learned engine: its cases, its loss, and what a run gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from focusviewer.core.files import weights_from
from focusviewer.refocus import get_engine
from focusviewer.refocus.learned.pictures import FILTERS, LEAST_UM, MOST_UM
from focusviewer.training.catalogue import build, find_entry
from focusviewer.training.data.stack_bank import StackBank
from focusviewer.training.lab import train
from focusviewer.training.lab.task import Task
from focusviewer.training.tasks.refocus import learned
from focusviewer.training.tasks.refocus.learned import LearnedSettings, draw_case, similarity
from tests.training.tasks.refocus.steps import losses_on_one_batch

SIDE = 40


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> StackBank:
    """Three fields of noise, blurred by a Gaussian as wide as the distance from focus."""
    rng = np.random.default_rng(5)
    z_um = np.array([-3.0, -1.5, 0.0, 1.2, 2.9], np.float32)
    clean = np.empty((3, len(z_um), SIDE, SIDE, 3), np.uint8)
    for field in range(3):
        sharp = gaussian_filter(rng.random((SIDE, SIDE, 3)), (1, 1, 0))
        sharp = (sharp - sharp.min()) / np.ptp(sharp)
        for plane, z in enumerate(z_um):
            clean[field, plane] = 255 * gaussian_filter(sharp, (abs(z) / 2, abs(z) / 2, 0))
    made = StackBank(clean, clean, np.tile(z_um, (3, 1)), np.arange(3, dtype=np.int32))
    monkeypatch.setattr(learned, "stack_bank", lambda *_: made)
    return made


def _task(held_out: int = 2) -> Task:
    entry = find_entry("refocus", "learned")
    torch.manual_seed(1)
    task = build(entry, Path(), LearnedSettings(fields=3, held_out=held_out))
    task.prepare(replace(entry.defaults, batch=2))
    return task


def test_cases_are_scans_with_their_wiener_pictures(bank: StackBank) -> None:
    rng = np.random.default_rng(0)
    cases = [draw_case({0.25: bank, 0.5: bank}, LearnedSettings(), rng) for _ in range(20)]
    for case in cases:
        assert case.filtered.shape == (len(FILTERS), SIDE, SIDE, 3)
        assert LEAST_UM <= case.assumed_um <= MOST_UM
        np.testing.assert_allclose(case.filtered.mean((1, 2)), case.scan.mean((0, 1))[None].repeat(5, 0), atol=0.02)
    assert len({case.assumed_um for case in cases}) > 5


def test_plain_cases_want_the_plane_in_focus(bank: StackBank) -> None:
    plain = LearnedSettings(
        soft_share=0, transfer_share=0, foreign_share=0, noise_share=0, jpeg_share=0, gray_share=0, in_focus=1.0
    )
    case = draw_case({0.25: bank, 0.5: bank}, plain, np.random.default_rng(1))
    np.testing.assert_allclose(case.scan, case.wanted, atol=1e-5)


def test_similarity_is_that_of_scikit_image() -> None:
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(2)
    first = gaussian_filter(rng.random((48, 48)), 1.0)
    second = np.clip(first + 0.05 * rng.standard_normal(first.shape), 0, 1)
    batch = [torch.from_numpy(np.stack([image] * 3))[None].float() for image in (first, second)]
    expected = structural_similarity(first, second, data_range=1.0, use_sample_covariance=False)
    assert float(similarity(*batch)) == pytest.approx(expected, abs=2e-3)


def test_steps_on_one_batch_lower_its_loss(bank: StackBank) -> None:
    task = _task()
    losses = losses_on_one_batch(task, 4e-4)
    assert losses[-1] < losses[0]


def test_a_run_gives_an_engine_and_its_card(bank: StackBank, tmp_path: Path) -> None:
    entry = find_entry("refocus", "learned")
    task = build(entry, tmp_path, LearnedSettings(fields=3, held_out=4))
    train(task, replace(entry.defaults, steps=2, batch=2, validations=1, checkpoint_s=1e9), tmp_path)
    card = (tmp_path / "learned.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("Data", "Command", "Hardware", "Figures", "Limits", "soft_px 4"))
    with weights_from(tmp_path):
        engine = get_engine("learned")
        encoded = engine.encode([bank.clean[0, 1]], 0.25, focus_maps=[np.full((SIDE, SIDE), 1.5, np.float32)])
        assert engine.render(encoded, 1.5).shape == (SIDE, SIDE, 3)
        assert engine.parameters() > 500_000


def test_a_step_follows_from_its_generator(bank: StackBank) -> None:
    losses = [float(_task().loss(0, torch.Generator().manual_seed(3))["loss"].detach()) for _ in range(2)]
    assert losses[0] == losses[1]
