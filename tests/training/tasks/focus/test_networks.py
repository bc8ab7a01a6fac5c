from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from focusviewer.focus.networks import NETWORKS, network_spec
from focusviewer.focus.networks.model import NetworkModel
from focusviewer.training.catalogue import entries, find_entry
from focusviewer.training.data import labelled
from focusviewer.training.data.bank import FocusBank
from focusviewer.training.data.debris import drops, dust, with_debris
from focusviewer.training.data.labelled import LabelledWindows, blurred_copies, gaussian, labelled_windows
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.trainer import train
from focusviewer.training.tasks.focus import classifiers as focus_classifiers
from focusviewer.training.tasks.focus import networks as focus_nets
from focusviewer.training.tasks.focus.classifiers import FourierSettings, FourierTask, MobileTask, specimen
from focusviewer.training.tasks.focus.networks import LevelTask, NetSettings, jittered

_SETTINGS = NetSettings(scales=(0.25,), crops=(24,), held_out=(12,), judged_seeds=())
_CONFIG = LabConfig(steps=2, batch=2, validations=1, learning_rate=1e-3)


def _bank(count: int, seed: int) -> FocusBank:
    rng = np.random.default_rng(seed)
    z_um = np.linspace(0, 5, count, dtype=np.float32)
    sharp = rng.normal(150, 40, (count, 237, 237, 1)) + np.array([20, -30, 10])
    images = np.stack([ndimage.gaussian_filter(crop, (z, z, 0)) for crop, z in zip(sharp, z_um, strict=True)])
    return FocusBank(np.clip(images, 0, 255).astype(np.uint8), z_um, np.arange(count, dtype=np.int32))


@pytest.fixture(autouse=True)
def small_banks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Banks of a few crops, and no real data."""

    def banks(data: Path, split: str, scales: tuple[float, ...], counts: tuple[int, ...]) -> dict[float, FocusBank]:
        return {mpp: _bank(counts[0], int(split == "train")) for mpp in scales}

    monkeypatch.setattr(focus_nets, "banks_for", banks)
    monkeypatch.setenv("FOCUSVIEWER_DATA", str(tmp_path))


def test_every_network_has_a_task() -> None:
    assert {spec.name for spec in NETWORKS} <= {entry.model for entry in entries() if entry.task == "focus"}


def test_a_run_writes_weights_that_the_program_reads(tmp_path: Path) -> None:
    task = LevelTask("eonss", None, _SETTINGS)
    paths = train(task, _CONFIG, tmp_path / "out")
    model = NetworkModel(network_spec("eonss"), paths[0])
    picture = np.array(_bank(2, 5).images[1][1:236, 1:236])
    assert np.isfinite(model.score(picture, 0.25)) and model.mpps == (0.25,)
    card = paths[1].read_text()
    assert "mae_um" in card and "123401 parameters" in card


def test_scores_trained_on_correlation_alone_are_brought_to_levels(tmp_path: Path) -> None:
    task = LevelTask("eonss", None, replace(_SETTINGS, loss="plcc"))
    # Enough steps for scores that differ by more than their rounding.
    path = train(task, replace(_CONFIG, steps=15), tmp_path / "out")[0]
    bank = task.banks[0.25]
    model = NetworkModel(network_spec("eonss"), path)
    windows = bank.images[:, 1:236, 1:236]
    scores = np.array([model.score_windows(np.array(window), 0.25).scores[0, 0] for window in windows])
    slope, offset = np.polyfit(scores, bank.z_um / 0.25, 1)
    assert slope == pytest.approx(1.0, abs=0.1) and offset == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("name", ["densenet-13", "mobile-84", "fno-64"])
def test_batches_follow_from_the_generator_alone(name: str) -> None:
    task = _task(name)
    task.prepare(_CONFIG)
    torch.manual_seed(1)
    for network in task.modules().values():
        network.eval()  # no dropout

    def loss(seed: int) -> float:
        return task.loss(0, torch.Generator().manual_seed(seed))["loss"].item()

    assert loss(3) == loss(3) != loss(4)


@pytest.mark.parametrize("name", ["mobile-84", "fno-64"])
def test_classifiers_are_judged_on_held_out_windows(name: str) -> None:
    task = _task(name)
    task.prepare(_CONFIG)
    for network in task.modules().values():
        network.eval()
    with torch.no_grad():
        figures = task.validate()
    wanted = {"mobile-84": "rps_0.25", "fno-64": "auc_0.25"}[name]
    assert task.best == {"0.25": wanted if name == "mobile-84" else f"+{wanted}"}
    assert 0 <= figures[wanted] <= 1


def _task(name: str) -> focus_nets.NetworkTask:
    if name == "mobile-84":
        return MobileTask(name, None, _SETTINGS)
    if name == "fno-64":
        shared = {field: getattr(_SETTINGS, field) for field in ("scales", "crops", "held_out", "judged_seeds")}
        return FourierTask(name, None, FourierSettings(**shared, labelled_share=0.0, synthetic_share=0.0))
    return LevelTask(name, None, replace(_SETTINGS, small_px=64))


def test_the_fourier_task_learns_from_labelled_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    images = _bank(8, 3).images[:, :96, :96]
    windows = LabelledWindows(images, np.array([False] * 6 + [True] * 2))
    monkeypatch.setattr(focus_classifiers, "labelled_windows", lambda data: windows)
    settings = FourierSettings(scales=(0.25,), crops=(24,), held_out=(12,), labelled_share=0.25, synthetic_share=0.25)
    task = FourierTask("fno-64", None, settings)
    task.prepare(replace(_CONFIG, batch=8))
    task.modules()
    value = task.loss(0, torch.Generator().manual_seed(1))["loss"]
    assert torch.isfinite(value) and windows.digest in task.identity().values()


def test_dirt_changes_what_a_crop_shows() -> None:
    images = torch.from_numpy(_bank(6, 2).images[:, :84, :84]).permute(0, 3, 1, 2).float() / 255
    generator = torch.Generator().manual_seed(1)
    for paint in (dust, drops, with_debris):
        painted = paint(images, generator)
        assert painted.shape == images.shape and float(painted.min()) >= 0 and float(painted.max()) <= 1
        assert bool(((painted - images).abs().mean(dim=(1, 2, 3)) > 0.02).all())


def test_jitter_keeps_what_is_in_focus() -> None:
    images = torch.rand(16, 3, 8, 8)
    changed = jittered(images, torch.Generator().manual_seed(2))
    assert changed.shape == images.shape and not torch.equal(changed, images)
    corr = np.corrcoef(images.mean(1).flatten().numpy(), changed.mean(1).flatten().numpy())[0, 1]
    assert corr > 0.9


def test_bare_glass_is_left_out() -> None:
    glass, tissue = torch.full((1, 3, 8, 8), 0.95), torch.full((1, 3, 8, 8), 0.6)
    assert specimen(torch.cat([glass, tissue])).tolist() == [False, True]


def test_gaussian_blur_has_the_spread_it_is_told() -> None:
    point = torch.zeros(2, 1, 64, 64)
    point[:, 0, 32, 32] = 1.0
    place = torch.arange(64) - 32.0
    for row, spread in zip(gaussian(point, torch.tensor([2.0, 4.0])), (2.0, 4.0), strict=True):
        along = row[0].sum(0)
        assert float((along * place**2).sum() ** 0.5) == pytest.approx(spread, rel=0.02)


def test_windows_are_labelled_where_the_detector_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Field:
        image = np.random.default_rng(1).integers(0, 255, (256, 256, 3), np.uint8)

    monkeypatch.setattr(labelled, "load_sources", lambda data, split: [Field(), Field()])
    corners = np.array([[0, 0], [32, 64], [96, 96]])  # the first is too near the border
    windows = labelled_windows(tmp_path, lambda image: (corners, np.array([True, False, True])))
    assert windows.images.shape == (6, 96, 96, 3)  # the first field is also offered half blurred
    assert windows.blurred_share == 0.5
    batch, blurred = windows.batch(5, 64, torch.Generator().manual_seed(1))
    assert batch.shape == (5, 3, 64, 64) and set(blurred.tolist()) <= {0.0, 1.0}
    soft = blurred_copies(windows, 4, 64, torch.Generator().manual_seed(1))
    assert float(soft.diff(dim=3).abs().mean()) < 0.3 * float(batch.diff(dim=3).abs().mean())


def test_another_loss_is_a_setting() -> None:
    assert find_entry("focus", "eonss").settings.loss == "huber"
