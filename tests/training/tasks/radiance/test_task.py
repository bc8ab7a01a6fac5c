from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from focusviewer.core.errors import UserError
from focusviewer.refocus.radiance.network import SIZES, RadianceNet, load_radiance, save_radiance
from focusviewer.training.data.stack_bank import StackBank, spread_planes
from focusviewer.training.lab import LabConfig, Task, train
from focusviewer.training.tasks.radiance import stacks as radiance_stacks
from focusviewer.training.tasks.radiance import task as radiance
from focusviewer.training.tasks.radiance.cases import (
    FAR_UM,
    NEAR_UM,
    CasePlan,
    Cases,
    Subset,
    assemble,
    believed_tissue,
    draw_cases,
    draw_plan,
    redraw_plan,
)
from focusviewer.training.tasks.radiance.checks import CHECKS, check_figures, decibels, nearest_plane
from focusviewer.training.tasks.radiance.task import (
    RadianceSettings,
    RadianceTask,
    consistency,
    decibels_lost,
    origin,
    run_name,
)
from focusviewer.training.tasks.wsi_dists.distance import WsiDists, equal_weights
from focusviewer.training.tasks.wsi_dists.features import WsiFeatures

SIDE = 32
TINY = RadianceSettings(size="tiny", crop_px=16, judged=1, judged_finally=1)


@pytest.fixture(scope="module")
def bank() -> StackBank:
    """Noise, blurrier with distance from focus; clean and recorded differ by one gray level."""
    rng = np.random.default_rng(8)
    z_um = np.stack([spread_planes(10, 4.0, rng) for _ in range(6)])
    pictures = np.empty((6, 10, SIDE, SIDE, 3), np.uint8)
    for row, planes in enumerate(z_um):
        sharp = rng.standard_normal((SIDE, SIDE, 1))
        for plane, z in enumerate(planes):
            blurred = gaussian_filter(sharp, (0.5 + abs(z), 0.5 + abs(z), 0))
            pictures[row, plane] = np.clip(128 + 60 * blurred, 1, 255)
    return StackBank(pictures, pictures - 1, z_um, np.arange(6, dtype=np.int32))


@pytest.fixture
def _toys(bank: StackBank, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    distance = WsiDists(WsiFeatures(), equal_weights())
    monkeypatch.setattr(radiance_stacks, "stack_bank", lambda folder, split, config: bank)
    monkeypatch.setattr(radiance, "load_wsi_dists", lambda: distance)
    monkeypatch.setattr(radiance, "plain_dists", lambda: distance)


def _same(first: Cases, second: Cases) -> bool:
    pairs = [
        (first.given.images, second.given.images),
        (first.given.defocus, second.given.defocus),
        (first.other.images, second.other.images),
        (first.target, second.target),
        (first.wanted, second.wanted),
    ]
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


def test_equal_seeds_draw_equal_batches(bank: StackBank) -> None:
    first, second, third = (draw_cases(bank, 3, 16, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert _same(first, second)
    assert not _same(first, third)
    assert first.wanted.shape == (3, 3, 16, 16)


def test_further_rounds_ask_the_same_planes_for_other_targets(bank: StackBank) -> None:
    once, twice = (draw_cases(bank, 4, 16, torch.Generator().manual_seed(2), rounds) for rounds in (1, 2))
    assert (twice.target.shape, twice.wanted.shape) == ((8, 1, 16, 16), (8, 3, 16, 16))
    assert once.given.images.shape == twice.given.images.shape
    rng = np.random.default_rng(4)
    others = 0
    for _ in range(60):
        plan = draw_plan(bank, 2, 1, 8, rng)
        again = redraw_plan(bank, plan, rng)
        assert (again.row, again.given, again.other, again.sign) == (
            plan.row,
            plan.given,
            plan.other,
            plan.sign,
        )
        others += again.target != plan.target
        z_um = bank.z_um[plan.row]
        assert np.abs(z_um[[*plan.given, *plan.other]] - z_um[again.target]).min() >= NEAR_UM
        assert not again.following or z_um[again.target] == 0
    assert others > 50


def test_a_further_round_repeats_the_question_where_no_other_target_is_left(bank: StackBank) -> None:
    plan = draw_plan(bank, 3, 3, 8, np.random.default_rng(1))
    left = [plane for plane in range(10) if plane not in plan.given and plane != plan.target]
    full = replace(plan, other=left)
    assert redraw_plan(bank, full, np.random.default_rng(2)) == full


def test_more_pairs_of_planes_can_be_asked_for(bank: StackBank) -> None:
    generator = torch.Generator().manual_seed(6)
    counts = [draw_cases(bank, 1, 8, generator, pairs=1.0).given.images.shape[1] for _ in range(8)]
    assert counts == [2] * 8


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 3), (3, 1), (3, 3), (5, 1)])
def test_subsets_are_disjoint_and_leave_out_what_is_near_the_target(bank: StackBank, first: int, second: int) -> None:
    rng = np.random.default_rng(first * 10 + second)
    for _ in range(40):
        plan = draw_plan(bank, first, second, 8, rng)
        z_um = bank.z_um[plan.row]
        assert (len(plan.given), len(plan.other)) == (first, second)
        assert not set(plan.given) & set(plan.other)
        identical = plan.given == [plan.target]  # a plane in focus that must stay as it is
        if identical:
            assert z_um[plan.target] == 0
        else:
            near = np.abs(z_um[[*plan.given, *plan.other]] - z_um[plan.target]).min()
            assert near >= min(NEAR_UM, FAR_UM)
            assert plan.target not in plan.given
        assert plan.target not in plan.other


def test_one_plane_never_lies_beyond_the_tissue(bank: StackBank) -> None:
    generator = torch.Generator().manual_seed(1)
    seen = 0
    for _ in range(40):
        cases = draw_cases(bank, 2, 8, generator)
        for part in (cases.given, cases.other):
            if part.images.shape[1] == 1:
                assert float(part.defocus.max()) <= 0
                seen += 1
    assert seen > 20


def test_the_answer_is_the_plane_that_the_target_names(bank: StackBank) -> None:
    """Distances between target and input planes are exact, whatever is believed of the tissue."""
    rng = np.random.default_rng(3)
    followed = 0
    for _ in range(60):
        plan = draw_plan(bank, 2, 1, 8, rng)
        cases = radiance_cases_of(bank, plan)
        followed += plan.following
        if plan.following:
            assert not cases.target.any()
            assert bank.z_um[plan.row, plan.target] == 0
            continue
        apart = plan.sign * (bank.z_um[plan.row, plan.target] - bank.z_um[plan.row, plan.given])
        told = cases.target[0, 0] - cases.given.defocus[0, :, 0]
        assert torch.allclose(
            told, torch.from_numpy(apart.astype(np.float32))[:, None, None].expand_as(told), atol=1e-5
        )
        clean = torch.from_numpy(bank.clean[plan.row, plan.target, :8, :8]).permute(2, 0, 1) / 255
        assert torch.allclose(cases.wanted[0], clean)
    assert 5 < followed < 55


def radiance_cases_of(bank: StackBank, plan: CasePlan) -> Cases:
    return assemble(bank, [plan], np.zeros((1, 2), np.int64), 8)


def test_estimates_of_the_tissue_are_mostly_wrong_and_smooth() -> None:
    rng = np.random.default_rng(9)
    maps = [believed_tissue(np.float32([-2.0]), 32, rng) for _ in range(200)]
    wrong = [values for values in maps if values.any()]
    assert 130 < len(wrong) < 190
    assert np.mean([values.mean() for values in wrong]) < -0.2  # a single plane is believed nearer than it is
    assert max(np.abs(np.diff(values, axis=1)).max() for values in wrong) < 0.1


def test_consistency_of_equal_features_is_zero() -> None:
    features = [torch.rand(2, 3, 4, 8, 8), torch.rand(2, 3, 8, 4, 4)]
    assert float(consistency(features, features)) == 0
    other = [layer + 0.5 for layer in features]
    assert float(consistency(features, other)) == pytest.approx(0.25)


def test_decibels_lost_are_those_of_psnr_but_for_errors_below_half_a_gray_level() -> None:
    wanted = torch.full((2, 3, 4, 4), 0.5)
    near, far = wanted + 0.01, wanted + 0.1
    assert decibels_lost(near, far, wanted).tolist() == pytest.approx([-20, -20], abs=0.2)
    assert decibels_lost(far, far, wanted).tolist() == [0, 0]
    assert float(decibels_lost(wanted, wanted + 0.0005, wanted)[0]) > -0.4


def test_doing_nothing_gains_nothing(bank: StackBank) -> None:
    class Nearest(torch.nn.Module):
        def forward(self, images: Tensor, defocus: Tensor, target: Tensor) -> Tensor:
            return nearest_plane(Subset(images, defocus), target)

    figures = check_figures(Nearest(), bank, 2, torch.device("cpu"))
    assert set(figures) == {"gain", *(check.name for check in CHECKS)}
    assert max(abs(value) for value in figures.values()) < 1e-4
    assert float(decibels(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1))) == pytest.approx(20)


def test_checks_that_no_stack_can_answer_are_left_out(bank: StackBank) -> None:
    near = replace(bank, z_um=0.5 * bank.z_um)  # within 2 um of focus
    figures = check_figures(RadianceNet(SIZES["tiny"]).eval(), near, 2, torch.device("cpu"))
    assert {"gain_2um", "gain_fs3"} <= set(figures)
    assert "gain_4um" not in figures


def test_names_say_what_is_different() -> None:
    assert run_name(RadianceSettings()) == "radiance"
    assert run_name(RadianceSettings(focuspath="sets")) == "radiance-focuspath"
    assert run_name(RadianceSettings(size="tiny", pooling="max")) == "radiance-tiny-max"
    assert run_name(RadianceSettings(consistency=0.0, distance="plain-dists")) == "radiance-plain-inconsistent"


class KilledError(Exception):
    """Ends a run as if it had been killed."""


class Killed(RadianceTask):
    """Dies at the third step."""

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        if step == 2:
            raise KilledError
        return super().loss(step, generator)


@pytest.mark.usefixtures("_toys")
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    config = LabConfig(steps=3, batch=2, validations=1, checkpoint_s=0, device="cpu", weight_decay=1e-7)
    train(RadianceTask(tmp_path, TINY), config, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(Killed(tmp_path, TINY), config, tmp_path / "broken")
    train(RadianceTask(tmp_path, TINY), config, tmp_path / "broken", resume=True)
    whole, broken = (tmp_path / folder / "radiance-tiny.safetensors" for folder in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()
    assert load_radiance(whole).config == SIZES["tiny"]
    assert "--steps 3" in origin(whole)
    assert "one plane about 2 um from focus" in whole.with_suffix(".md").read_text()


def test_a_run_begins_with_the_weights_it_is_given(tmp_path: Path) -> None:
    torch.manual_seed(5)
    first = RadianceNet(SIZES["tiny"])
    save_radiance(first, tmp_path / "first.safetensors")
    begun = RadianceTask(tmp_path, replace(TINY, start=str(tmp_path / "first.safetensors"))).net.state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in first.state_dict().items())
    assert origin(tmp_path / "first.safetensors").startswith("first.safetensors, SHA-256 begins ")
    with pytest.raises(UserError, match="Cannot begin"):
        RadianceTask(tmp_path, replace(TINY, start=str(tmp_path / "no.safetensors"))).modules()


@pytest.mark.usefixtures("_toys")
def test_network_and_discriminator_learn_from_losses_of_their_own(tmp_path: Path) -> None:
    config = LabConfig(steps=1, batch=2, validations=1, device="cpu", learning_rate=1e-2)
    task: Task = RadianceTask(tmp_path, replace(TINY, adversarial=0.5))
    task.prepare(config)
    torch.manual_seed(1)
    before = {name: [p.detach().clone() for p in module.parameters()] for name, module in task.modules().items()}
    out = tmp_path / "out"
    torch.manual_seed(1)
    train(task, config, out)
    assert (out / "radiance-tiny-adversarial.safetensors").exists()
    for name, module in task.modules().items():
        assert any(not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True)), name
    losses = task.loss(0, torch.Generator().manual_seed(1))
    assert {"loss", "critic", "realism", "consistency", "reconstruction", "pixels"} <= set(losses)


@pytest.mark.usefixtures("_toys")
def test_a_resumed_run_must_have_the_same_losses(tmp_path: Path) -> None:
    config = LabConfig(steps=2, batch=1, validations=1, checkpoint_s=0, device="cpu")
    with pytest.raises(KilledError):
        train(Killed(tmp_path, replace(TINY)), replace(config, steps=3), tmp_path / "run")
    with pytest.raises(UserError, match="pixels"):
        train(
            RadianceTask(tmp_path, replace(TINY, pixels=1.0)), replace(config, steps=3), tmp_path / "run", resume=True
        )


@pytest.mark.usefixtures("_toys")
def test_the_share_of_error_left_is_one_where_nothing_is_done(tmp_path: Path) -> None:
    task = RadianceTask(tmp_path, replace(TINY, pixels=0.0, reconstruction=0.0, consistency=0.0, share=1.0))
    task.prepare(LabConfig(steps=1, batch=4, device="cpu"))
    # A new network returns the planes themselves: the nearest one, or two of them mixed.
    shares = [float(task.loss(0, torch.Generator().manual_seed(seed))["share"]) for seed in range(6)]
    assert max(shares) <= 1.05
    assert min(shares) > 0.3


@pytest.mark.usefixtures("_toys")
def test_every_round_counts_in_the_losses(tmp_path: Path) -> None:
    own = replace(TINY, pixels=0.0, reconstruction=1.0, consistency=0.0, decibels=1.0, rounds=2)
    task = RadianceTask(tmp_path, own)
    task.prepare(LabConfig(steps=1, batch=2, device="cpu"))
    losses = [task.loss(0, torch.Generator().manual_seed(seed)) for seed in range(4)]
    assert set(losses[0]) == {"loss", "reconstruction", "decibels"}
    # A new network returns the nearest plane, or two of them mixed: hardly a decibel is lost, and some are gained.
    assert max(float(part["decibels"]) for part in losses) < 1.0
    sums = [float(part["reconstruction"] + part["decibels"]) for part in losses]
    assert [float(part["loss"].detach()) for part in losses] == pytest.approx(sums, abs=1e-5)
