from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from focusviewer.core.errors import UserError
from focusviewer.refocus.fast.engine import FastRefocuser
from focusviewer.training.catalogue import build, entries, find_entry
from focusviewer.training.data import bank
from focusviewer.training.data.bank import BankConfig, FocusBank
from focusviewer.training.lab import LabConfig, train
from focusviewer.training.tasks.focus.focuslitenn import FocusLiteNNTask, FocusSettings
from focusviewer.training.tasks.refocus import pool as refocus_pool
from focusviewer.training.tasks.refocus.selector import RefocusSettings, SelectorTask

RUN = LabConfig(steps=6, seed=1, batch=4, learning_rate=1e-2, device="cpu", validations=2, clip=0.0)
FOCUS = FocusSettings(kernels=(1, 2), crops=(12,), held_out=(8,), judged_seeds=())


def noise_bank(data: Path, split: str, config: BankConfig) -> FocusBank:
    """Grain that gets weaker with the distance from focus: what a bank looks like, made at once."""
    rng = np.random.default_rng([split == "train", int(config.mpp * 100)])
    z_um = rng.uniform(0, 5, config.count).astype(np.float32)
    grain = rng.standard_normal((config.count, 237, 237, 1), dtype=np.float32) * 60 / (1 + z_um[:, None, None, None])
    images = np.repeat(np.clip(grain + 128, 0, 255), 3, axis=3).astype(np.uint8)
    return FocusBank(images, z_um, np.arange(config.count, dtype=np.int32))


@pytest.fixture
def _noise_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "focus_bank", noise_bank)


@pytest.mark.usefixtures("_noise_bank")
def test_training_focus_writes_weights_cards_and_a_log(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = train(build(find_entry("focus"), tmp_path, FOCUS), RUN, out)
    names = [f"focuslitenn-{n}.{end}" for n in (1, 2) for end in ("safetensors", "md")]
    assert [path.name for path in written] == [*names, "focuslitenn.csv", "focuslitenn.png"]
    tensors = load_file(out / "focuslitenn-2.safetensors")
    assert tensors["mpp0.25/conv.weight"].shape == (2, 3, 7, 7)
    assert tensors["mpp0.5/head.weight"].shape == (4,)
    assert all(np.isfinite(value).all() for value in tensors.values())
    card = (out / "focuslitenn-2.md").read_text()
    assert "focusviewer train focus --config focuslitenn.toml --steps 6 --seed 1" in card
    assert "| 0.5 um/px |" in card
    assert (out / "focuslitenn.csv").read_text().startswith("step,learning_rate,loss,loss_0.25,loss_0.5,mae_um_0.25_1")


@pytest.mark.usefixtures("_noise_bank")
def test_networks_side_by_side_learn_as_each_would_alone(tmp_path: Path) -> None:
    """Adam looks at each weight by itself, so that a sum of losses is as good as one run for each network."""
    start = {}

    class Fixed(FocusLiteNNTask):
        def modules(self) -> dict[str, torch.nn.Module]:
            for key, module in super().modules().items():
                if key in start:
                    module.load_state_dict(start[key])
            return self._modules

    def run(kernels: tuple[int, ...], name: str) -> dict[str, np.ndarray]:
        task = Fixed(tmp_path, replace(FOCUS, kernels=kernels))
        train(task, replace(RUN, validations=1), tmp_path / name)
        return load_file(tmp_path / name / "focuslitenn-2.safetensors")

    first = FocusLiteNNTask(tmp_path, FOCUS).modules()
    start.update({key: {n: t.clone() for n, t in module.state_dict().items()} for key, module in first.items()})
    together, alone = run((1, 2), "together"), run((2,), "alone")
    for name in together:
        np.testing.assert_allclose(together[name], alone[name], atol=1e-6)


@pytest.mark.usefixtures("_noise_bank")
def test_focuslitenn_learns_to_rank_the_blur(tmp_path: Path) -> None:
    task = FocusLiteNNTask(tmp_path, replace(FOCUS, kernels=(10,), scales=(0.25,), crops=(64,), held_out=(32,)))
    train(task, replace(RUN, steps=60, batch=8), tmp_path / "out")
    assert task.validate()["srcc_0.25_10"] > 0.8


def test_batches_of_a_bank_follow_from_the_generator_alone(tmp_path: Path) -> None:
    bank = noise_bank(tmp_path, "train", BankConfig(0.25, 20))
    shots = [bank.batch(6, 64, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert all(torch.equal(*pair) for pair in zip(shots[0], shots[1], strict=True))
    assert not torch.equal(shots[0][0], shots[2][0])


def test_batches_of_a_bank_turn_and_mirror_the_crops(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    bank = FocusBank(images, np.full(1, 2.0, np.float32), np.zeros(1, np.int32))
    whole = images[0].transpose(2, 0, 1).astype(np.float32) / 255
    ways = [np.rot90(image, turn, (1, 2)).tobytes() for image in (whole, whole[:, :, ::-1]) for turn in range(4)]
    seen = set()
    for seed in range(60):
        batch, levels = bank.batch(1, 16, torch.Generator().manual_seed(seed))
        assert float(levels[0]) == 8.0
        seen.add(ways.index(batch[0].numpy().tobytes()))
    assert seen == set(range(8))


def test_a_missing_data_folder_is_a_clear_message(tmp_path: Path) -> None:
    for task in (FocusLiteNNTask(tmp_path / "nowhere"), SelectorTask(tmp_path / "nowhere")):
        with pytest.raises(UserError, match="No training data"):
            train(task, RUN, tmp_path / task.name)


@pytest.mark.usefixtures("_fast_bank")
def test_training_refocus_writes_weights_the_engine_can_use(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSVIEWER_CACHE", str(tmp_path / "cache"))
    settings = RefocusSettings(pool=5, width=8, validation=5, judged_fields=1)
    monkeypatch.setattr(refocus_pool, "SHARES", {"plain": 0.6, "lifted": 0.4})  # drawing phantoms takes long
    config = find_entry("refocus").defaults.overridden(steps=4, device="cpu")
    train(SelectorTask(tiny_data, settings), replace(config, batch=2, validations=2), tmp_path / "out")
    path = tmp_path / "out" / "fast.safetensors"
    image = np.full((64, 64, 3), 200, np.uint8)
    assert FastRefocuser(path).encode([image], 0.25).blur_um.shape == (64, 64)
    card = path.with_suffix(".md").read_text()
    assert "| 1.5 um | 0.002 |" in card
    assert "Limits" in card
    # A resumed run finds its crops again and need not simulate them.
    monkeypatch.setattr(refocus_pool, "make_pool", None)
    path.unlink()
    train(SelectorTask(tiny_data, settings), replace(config, batch=2, validations=2), tmp_path / "out", resume=True)
    assert path.exists()


def test_every_task_can_be_named_and_built(tmp_path: Path) -> None:
    known = entries()
    assert len({(entry.task, entry.model) for entry in known}) == len(known)
    for entry in known:
        task = build(entry, tmp_path, entry.settings)
        assert task.settings == entry.settings
        assert task.command.startswith(f"focusviewer train {entry.task}")
        assert find_entry(entry.task, entry.model).summary == entry.summary
        assert (entry.defaults.steps is None) != (entry.defaults.minutes is None)
