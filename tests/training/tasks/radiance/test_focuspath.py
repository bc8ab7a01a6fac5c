"""Training the radiance network on FocusPath, on the data set in miniature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from focusviewer.core.errors import UserError
from focusviewer.training.catalogue import build, find_entry
from focusviewer.training.data.stack_bank import StackBank
from focusviewer.training.lab import LabConfig, train
from focusviewer.training.lab.config import read_config
from focusviewer.training.tasks.radiance import stacks as radiance_stacks
from focusviewer.training.tasks.radiance import task as radiance
from focusviewer.training.tasks.radiance.stacks import focuspath_stacks
from focusviewer.training.tasks.wsi_dists.distance import WsiDists, equal_weights
from focusviewer.training.tasks.wsi_dists.features import WsiFeatures
from tests.training.datasets.miniatures import make_focuspath


@pytest.fixture(autouse=True)
def _small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radiance_stacks, "CROP_PX", 32)
    monkeypatch.setattr(radiance_stacks, "cache_dir", lambda: tmp_path / "cache")
    torch.manual_seed(2)
    distance = WsiDists(WsiFeatures(), equal_weights())
    monkeypatch.setattr(radiance, "load_wsi_dists", lambda: distance)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets")
    make_focuspath(root / "FocusPath", slides=2, positions=2, size_px=40)
    return root


def shares_a_picture(first: StackBank, second: StackBank) -> bool:
    means = [np.asarray(bank.recorded, np.float64).mean(axis=(2, 3, 4)) for bank in (first, second)]
    return bool((means[0][:, None] == means[1][None]).all(axis=2).any())


def test_strip_one_is_held_out_and_chooses_nothing(sets: Path) -> None:
    stacks = focuspath_stacks(sets, 12)
    assert stacks.train.recorded.shape == (12, 16, 32, 32, 3)  # three of four stacks of strip 0, four fields each
    assert len(stacks.validation) == 4
    assert len(stacks.test) == 4  # one field of each stack of strip 1
    assert np.allclose(np.diff(stacks.train.z_um, axis=1), 0.25)
    banks = (stacks.train, stacks.validation, stacks.test)
    assert not any(shares_a_picture(banks[a], banks[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert "3 stacks of strip 0" in stacks.data
    assert "4 of strip 1 were held out" in stacks.split


def test_one_command_trains_on_it(sets: Path, tmp_path: Path) -> None:
    """A file of settings with the folder is all that the command needs beside its options."""
    own = f'[task]\nfocuspath = "{sets.as_posix()}"\ncrop_px = 16\nfields = 6\njudged = 1\njudged_finally = 2\n'
    path = tmp_path / "focuspath.toml"
    path.write_text('batch = 2\nvalidations = 1\ndevice = "cpu"\n' + own)
    entry = find_entry("radiance", "tiny")
    config, settings = read_config(path, entry.defaults, entry.settings)
    out = tmp_path / "out"
    written = train(build(entry, None, settings), config.overridden(steps=2), out)
    assert out / "radiance-tiny-focuspath.safetensors" in written
    card = (out / "radiance-tiny-focuspath.md").read_text()
    assert "strip 1 were held out" in card
    assert "its terms of use hold for these weights" in card
    assert "one plane about 1 um from focus" in card
    assert "about 3 um from focus" not in card  # no plane of it lies so far away
    assert "simulated" not in card


def test_a_folder_without_it_is_told(tmp_path: Path) -> None:
    settings = radiance.RadianceSettings(size="tiny", focuspath=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere"):
        radiance.RadianceTask(None, settings).prepare(LabConfig(steps=1))
