from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from focusviewer.evaluation import ablation
from focusviewer.training.data.stack_bank import StackBank, StackBankConfig, spread_planes
from focusviewer.training.tasks.radiance import stacks as radiance_stacks
from focusviewer.training.tasks.radiance import task as radiance
from focusviewer.training.tasks.radiance.checks import CHECKS
from focusviewer.training.tasks.radiance.task import RadianceSettings
from focusviewer.training.tasks.wsi_dists.distance import WsiDists, equal_weights
from focusviewer.training.tasks.wsi_dists.features import WsiFeatures


def _bank(fields: int, side: int) -> StackBank:
    rng = np.random.default_rng(1)
    pictures = rng.integers(60, 200, (fields, 10, side, side, 3)).astype(np.uint8)
    z_um = np.stack([spread_planes(10, 4.0, rng) for _ in range(fields)])
    return StackBank(pictures, pictures, z_um, np.arange(fields, dtype=np.int32))


def test_every_variant_changes_one_setting() -> None:
    usual = RadianceSettings()
    assert ablation.VARIANTS["full"] == {}
    for name, changes in ablation.VARIANTS.items():
        if name != "full":
            assert len(changes) == 1
            assert replace(usual, **changes) != usual


def test_variants_are_trained_and_judged_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    distance = WsiDists(WsiFeatures(), equal_weights())
    judged = _bank(3, 176)
    monkeypatch.setattr(ablation, "stack_bank", lambda folder, split, config: judged)
    monkeypatch.setattr(radiance_stacks, "stack_bank", lambda folder, split, config: _small(config))
    monkeypatch.setattr(radiance, "load_wsi_dists", lambda: distance)
    monkeypatch.setattr(radiance, "check_figures", lambda *rest: {"gain": 0.0} | {check.name: 0.0 for check in CHECKS})
    told: list[str] = []
    variants = ("full", "max pooling")
    table = ablation.ablation_table(tmp_path, tmp_path / "runs", steps=1, variants=variants, progress=told.append)
    assert told == list(variants)
    assert [row["variant"] for row in table.rows] == ["the nearest plane as it is", *variants]
    assert table.rows[0]["over_nearest"] == 0
    full, other = table.rows[1:]
    assert other["over_full"] == pytest.approx(other["psnr"] - full["psnr"])
    assert all(0 < row["ms_ssim"] <= 1 for row in table.rows)
    assert len({row["psnr"] for row in table.rows}) == 3
    assert (tmp_path / "runs" / "max-pooling" / "radiance-tiny-max.safetensors").exists()
    again = ablation.ablation_table(tmp_path, tmp_path / "runs", steps=1, variants=("full",), progress=told.append)
    assert again.rows == table.rows[:2]  # runs that are there are not made again


def _small(config: StackBankConfig) -> StackBank:
    assert config.crop_px == 128
    return _bank(4, 80)
