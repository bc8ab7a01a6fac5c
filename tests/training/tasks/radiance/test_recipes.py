"""Shipped settings: the losses of the thesis by name, and a long run on a graphics card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from focusviewer.core.errors import UserError
from focusviewer.training.catalogue import find_entry
from focusviewer.training.data.stack_bank import StackBank, spread_planes
from focusviewer.training.lab import LabConfig, read_config, train
from focusviewer.training.recipes import recipe_path, recipes
from focusviewer.training.tasks.radiance import stacks as radiance_stacks
from focusviewer.training.tasks.radiance import task as radiance
from focusviewer.training.tasks.radiance.task import LIMITS, RadianceSettings, RadianceTask, losses_text
from focusviewer.training.tasks.wsi_dists.distance import WsiDists, equal_weights
from focusviewer.training.tasks.wsi_dists.features import WsiFeatures

ENTRY = find_entry("radiance")


def read(*names: str) -> tuple[LabConfig, RadianceSettings]:
    config, own = ENTRY.defaults, ENTRY.settings
    for name in names:
        config, own = read_config(recipe_path("radiance", name), config, own)
    return config, own


@pytest.fixture
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    z_um = np.stack([spread_planes(10, 4.0, rng) for _ in range(6)])
    pictures = np.empty((6, 10, 32, 32, 3), np.uint8)
    for row, planes in enumerate(z_um):
        sharp = rng.standard_normal((32, 32, 1))
        for plane, z in enumerate(planes):
            pictures[row, plane] = np.clip(128 + 60 * gaussian_filter(sharp, (0.5 + abs(z), 0.5 + abs(z), 0)), 1, 255)
    bank = StackBank(pictures, pictures - 1, z_um, np.arange(6, dtype=np.int32))
    torch.manual_seed(2)
    distance = WsiDists(WsiFeatures(), equal_weights())
    monkeypatch.setattr(radiance_stacks, "stack_bank", lambda folder, split, config: bank)
    monkeypatch.setattr(radiance, "load_wsi_dists", lambda: distance)


def test_the_thesis_has_its_own_losses_and_no_other() -> None:
    config, own = read("thesis")
    assert (own.reconstruction, own.consistency, own.adversarial) == (15.0, 1.0, 1.0)
    assert (own.pixels, own.share, own.decibels) == (0.0, 0.0, 0.0)
    assert (own.pooling, own.distance) == ("fsca", "wsi-dists")
    assert (config.learning_rate, config.weight_decay) == (1e-4, 1e-7)
    assert losses_text(own) == "WSI-DISTS, 3-D consistency"


def test_a_later_recipe_overrides_an_earlier_one() -> None:
    alone, _ = read("gpu")
    assert alone.device == "cuda" and alone.batch > ENTRY.defaults.batch
    assert alone.steps is not None and ENTRY.defaults.steps is not None and alone.steps > ENTRY.defaults.steps
    both, own = read("gpu", "thesis")
    assert (both.device, both.batch, both.learning_rate) == ("cuda", alone.batch, 1e-4)
    assert (own.reconstruction, own.pixels, own.crop_px) == (15.0, 0.0, 128)


@pytest.mark.usefixtures("_toys")
@pytest.mark.parametrize("name", ["thesis", "gpu"])
def test_every_recipe_trains_two_steps(tmp_path: Path, name: str) -> None:
    assert set(recipes("radiance")) == {"thesis", "gpu"}
    config, own = read(name)
    small = replace(own, size="tiny", crop_px=16, judged=1, judged_finally=1)
    short = config.overridden(steps=2, batch=2, validations=1, device="cpu", precision="float32")
    written = train(RadianceTask(tmp_path, small), short, tmp_path / "out")
    card = next(path for path in written if path.suffix == ".md").read_text()
    assert ("adversarial loss of weight 1" in card) == (name == "thesis")
    assert ("pixels" in card.split("| Losses |")[1].splitlines()[0]) == (name == "gpu")
    assert "keep 72 % of the gain" in card


def test_an_unknown_recipe_names_those_that_are_there() -> None:
    with pytest.raises(UserError, match="gpu, thesis"):
        recipe_path("radiance", "fast")
    with pytest.raises(UserError, match="no recipe"):
        recipe_path("focus", "thesis")


def test_the_shipped_card_states_the_same_limits() -> None:
    card = Path(__file__).parents[4] / "resources" / "weights" / "radiance.md"
    after = LIMITS.split("{trained}")[1].strip()
    assert after in card.read_text()
