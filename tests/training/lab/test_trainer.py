from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from focusviewer.core.errors import UserError
from focusviewer.training.lab import LabConfig, LossOptimiser, train
from focusviewer.training.lab.checkpoint import read_progress
from tests.training.lab.toys import Toy, ToyGan, toy_config

STEPS = 40


class Killed(BaseException):
    """Stands for the end of the process: nothing in the program catches it."""


def killing(at: int) -> Callable[[int], None]:
    def hook(step: int) -> None:
        if step == at:
            raise Killed

    return hook


def assert_same_run(one: Path, other: Path, name: str = "toy") -> None:
    first, second = (load_file(folder / f"{name}.safetensors") for folder in (one, other))
    assert set(first) == set(second)
    assert {key for key in first if not torch.equal(first[key], second[key])} == set()
    assert (one / f"{name}.csv").read_bytes() == (other / f"{name}.csv").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    train(Toy(), toy_config(STEPS), out)
    return out


def test_a_process_killed_in_training_goes_on_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    script = Path(__file__).with_name("toys.py")
    child = subprocess.Popen(
        [sys.executable, str(script), str(out), str(STEPS), "0.05"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    checkpoint = out / "toy.checkpoint"
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline and child.poll() is None:
            if checkpoint.exists() and read_progress(checkpoint).step >= 8:
                break
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert 8 <= read_progress(checkpoint).step < STEPS
    assert not (out / "toy.safetensors").exists()
    train(Toy(), toy_config(STEPS), out, resume=True)
    assert_same_run(whole, out)


@pytest.mark.parametrize("at", [1, 23, STEPS - 1])
def test_a_run_goes_on_from_its_last_checkpoint_whenever_that_was(whole: Path, tmp_path: Path, at: int) -> None:
    seldom = replace(toy_config(STEPS), checkpoint_s=1e9)
    with pytest.raises(Killed):
        train(Toy(killing(at)), seldom, tmp_path)
    assert read_progress(tmp_path / "toy.checkpoint").step == 0
    with pytest.raises(Killed):
        train(Toy(killing(at)), toy_config(STEPS), tmp_path, resume=True)
    train(Toy(), toy_config(STEPS), tmp_path, resume=True)
    assert_same_run(whole, tmp_path)


def test_progress_can_be_read_while_the_checkpoint_is_replaced(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "toy.checkpoint"
    path.write_bytes((whole / "toy.checkpoint").read_bytes())
    mapped = torch.UntypedStorage.from_file

    def replaced(*args: object, **options: object) -> torch.UntypedStorage:
        path.with_suffix(".new").write_bytes(b"of another length")
        path.with_suffix(".new").replace(path)
        return mapped(*args, **options)

    monkeypatch.setattr(torch.UntypedStorage, "from_file", replaced)
    assert read_progress(path).step == STEPS


def test_a_finished_run_is_exported_again_without_training(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    out.mkdir()
    for path in whole.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    (out / "toy.safetensors").unlink()
    train(Toy(killing(0)), toy_config(STEPS), out, resume=True)
    assert_same_run(whole, out)


def test_a_death_while_a_checkpoint_is_written_leaves_the_one_before(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, sync = [], os.fsync

    def dying(file: int) -> None:
        synced.append(file)
        if len(synced) == 31:
            os.ftruncate(file, 100)
            raise Killed
        sync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dying)
        with pytest.raises(Killed):
            train(Toy(), toy_config(STEPS), tmp_path)
    assert read_progress(tmp_path / "toy.checkpoint").step == 29
    train(Toy(), toy_config(STEPS), tmp_path, resume=True)
    assert_same_run(whole, tmp_path)


def test_the_seed_decides_the_weights(whole: Path, tmp_path: Path) -> None:
    train(Toy(), replace(toy_config(STEPS), seed=4), tmp_path)
    first, second = (load_file(folder / "toy.safetensors")["0.weight"] for folder in (whole, tmp_path))
    assert not torch.equal(first, second)


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    class Worsening(Toy):
        calls = 0

        def validate(self) -> dict[str, float]:
            self.calls += 1
            return {"mae": abs(self.calls - 3.0) + 1}

    task = Worsening()
    train(task, replace(toy_config(50), validations=5, checkpoint_s=1e9), tmp_path)
    assert read_progress(tmp_path / "toy.checkpoint").best == {"net": (1.0, 30)}
    exported = load_file(tmp_path / "toy.safetensors")
    train(Toy(), replace(toy_config(50), validations=5), tmp_path / "last")
    assert not torch.equal(exported["0.weight"], load_file(tmp_path / "last" / "toy.safetensors")["0.weight"])


def test_a_run_leaves_settings_log_curve_and_card(whole: Path) -> None:
    assert "seed = 3" in (whole / "toy.toml").read_text()
    head, *rows = (whole / "toy.csv").read_text().splitlines()
    assert head == "step,learning_rate,loss,mae"
    assert [row.split(",")[0] for row in rows] == [str(step) for step in range(4, 41, 4)]
    losses = [float(row.split(",")[2]) for row in rows]
    assert losses[-1] < losses[0]
    with Image.open(whole / "toy.png") as curve:
        assert curve.size == (960, 360)
        assert len(curve.convert("RGB").getcolors(100_000)) > 10
    card = (whole / "toy.md").read_text()
    assert f"--steps {STEPS} --seed 3" in card
    assert "SHA-256" in card
    assert not list(whole.glob(".*"))


def test_without_matplotlib_a_run_goes_on_and_says_once_that_there_is_no_curve(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    files = train(Toy(), toy_config(STEPS), tmp_path)
    assert_same_run(whole, tmp_path)
    assert tmp_path / "toy.csv" in files and not list(tmp_path.glob("*.png"))
    assert all(path.exists() for path in files)
    told = capsys.readouterr().err
    assert told.count("No curve is drawn: matplotlib is not installed") == 1
    assert "focusviewer[train]" in told


def test_nothing_to_resume_is_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Nothing to resume .* Start without --resume"):
        train(Toy(), toy_config(5), tmp_path, resume=True)


@pytest.mark.parametrize("left", ["toy.checkpoint", "toy.csv", "toy.safetensors", "toy.md"])
def test_another_run_is_never_overwritten(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_text("precious")
    with pytest.raises(UserError, match=f"already holds {left}"):
        train(Toy(), toy_config(5), tmp_path)
    assert (tmp_path / left).read_text() == "precious"


def test_a_damaged_checkpoint_is_a_clear_message(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "toy.checkpoint"
    path.write_bytes((whole / "toy.checkpoint").read_bytes()[:300])
    with pytest.raises(UserError, match=r"Cannot resume from .*toy\.checkpoint"):
        train(Toy(), toy_config(STEPS), tmp_path, resume=True)


@pytest.mark.parametrize("change", [{"seed": 9}, {"steps": 7}, {"learning_rate": 0.5}, {"precision": "bf16"}])
def test_a_run_cannot_change_on_the_way(whole: Path, change: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(change))} = .*the run was started with"):
        train(Toy(), toy_config(STEPS).overridden(**change), whole, resume=True)


def test_other_data_cannot_be_resumed_with(tmp_path: Path) -> None:
    class WithData(Toy):
        crops = 5

        def identity(self) -> dict[str, int]:
            return {"crops": self.crops}

    train(WithData(), toy_config(3), tmp_path)
    other = WithData()
    other.crops = 6
    with pytest.raises(UserError, match="crops = 6: the run was started with 5"):
        train(other, toy_config(3), tmp_path, resume=True)


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Exploding(Toy):
        def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
            return {"loss": super().loss(step, generator)["loss"] * (float("nan") if step == 7 else 1.0)}

    with pytest.raises(UserError, match=r"step 7: its loss is nan.*toy\.checkpoint.*learning_rate"):
        train(Exploding(), toy_config(20), tmp_path)
    assert read_progress(tmp_path / "toy.checkpoint").step == 7


def test_weights_that_are_not_finite_never_reach_a_checkpoint(tmp_path: Path) -> None:
    class Rooted(Toy):
        def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
            loss = super().loss(step, generator)["loss"]
            return {
                "loss": loss + ((self.net[0].weight * 0).sum().sqrt() if step == 7 else 0)
            }  # 0, but its slope is not

    with pytest.raises(UserError, match=r"the weights .* are not finite"):
        train(Rooted(), replace(toy_config(20), clip=0.0), tmp_path)
    assert read_progress(tmp_path / "toy.checkpoint").step == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_saves_and_goes_on(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    def interrupting(step: int) -> None:
        if step == 20:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        train(Toy(interrupting), replace(toy_config(STEPS), checkpoint_s=1e9), tmp_path)
    assert signal.getsignal(number) is before
    assert read_progress(tmp_path / "toy.checkpoint").step == 21
    assert "--resume" in capsys.readouterr().err
    train(Toy(), toy_config(STEPS), tmp_path, resume=True)
    assert_same_run(whole, tmp_path)


def test_a_time_budget_is_planned_once_and_is_the_run_of_that_many_steps(tmp_path: Path) -> None:
    timed = replace(toy_config(1), steps=None, minutes=0.004, checkpoint_s=1e9)
    seen: list[int] = []

    def kill_after_timing(step: int) -> None:
        seen.append(step)
        if step == 5 and seen.count(0) == 2:  # the steps that are timed are undone
            raise Killed

    with pytest.raises(Killed):
        train(Toy(kill_after_timing), timed, tmp_path / "timed")
    planned = read_progress(tmp_path / "timed" / "toy.checkpoint").steps
    assert planned > 5
    train(Toy(), timed, tmp_path / "timed", resume=True)
    assert read_progress(tmp_path / "timed" / "toy.checkpoint").steps == planned
    train(Toy(), toy_config(planned), tmp_path / "counted")
    assert_same_run(tmp_path / "timed", tmp_path / "counted")


def test_a_run_needs_a_length(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--steps or --minutes"):
        train(Toy(), LabConfig(device="cpu"), tmp_path)


def test_bfloat16_learns_and_keeps_float32_weights(tmp_path: Path) -> None:
    seen = []

    class Watching(Toy):
        def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
            seen.append(self.net(torch.zeros(2, 4)).dtype)
            return super().loss(step, generator)

    train(Watching(), replace(toy_config(STEPS), precision="bf16", checkpoint_s=1e9), tmp_path)
    assert set(seen) == {torch.bfloat16}
    assert load_file(tmp_path / "toy.safetensors")["0.weight"].dtype == torch.float32
    rows = (tmp_path / "toy.csv").read_text().splitlines()[1:]
    assert float(rows[-1].split(",")[3]) < float(rows[0].split(",")[3])


GAN = LabConfig(steps=200, seed=5, batch=32, learning_rate=5e-2, checkpoint_s=1e9, device="cpu", clip=0.0)


def test_an_adversarial_run_learns_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    task = ToyGan()
    train(task, GAN, tmp_path / "whole")
    assert task.validate()["distance"] < 0.5
    often = replace(GAN, checkpoint_s=0.0)
    with pytest.raises(Killed):
        train(ToyGan(killing(101)), often, tmp_path / "killed")
    train(ToyGan(), GAN, tmp_path / "killed", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "killed", "gan")


@pytest.mark.parametrize("alternate", [False, True])
def test_each_loss_moves_only_its_own_network(tmp_path: Path, alternate: bool) -> None:
    class Duel(Toy):
        name = "duel"

        def prepare(self, config: LabConfig) -> None:
            self.one, self.other = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
            nn.init.constant_(self.one.weight, 2.0)
            nn.init.constant_(self.other.weight, 5.0)

        def modules(self) -> dict[str, nn.Module]:
            return {"one": self.one, "other": self.other}

        def optimisers(self, config: LabConfig) -> list[LossOptimiser]:
            return [
                LossOptimiser(name, torch.optim.SGD(module.parameters(), 1.0), name)
                for name, module in self.modules().items()
            ]

        def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
            product = (self.one.weight * self.other.weight).sum()
            return {"one": 3 * self.one.weight.sum(), "other": product}

        def validate(self) -> dict[str, float]:
            return {"mae": 0.0}

        def export(self, out: Path, run: object) -> list[Path]:
            return []

    task = Duel()
    task.alternate = alternate
    train(task, LabConfig(steps=1, clip=0.0, device="cpu"), tmp_path)
    one, other = float(task.one.weight), float(task.other.weight)
    rate = (2.0 - one) / 3
    assert rate > 0
    assert (5.0 - other) / rate == pytest.approx(one if alternate else 2.0, rel=1e-3)


def test_the_gradient_is_clipped(tmp_path: Path) -> None:
    norms = {}
    for clip in (0.0, 1e-3):

        class Steep(Toy):
            def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
                return {"loss": 1e3 * super().loss(step, generator)["loss"]}

            def optimisers(self, config: LabConfig) -> list[LossOptimiser]:
                return [LossOptimiser("all", torch.optim.SGD(self.net.parameters(), 1e-6))]

        task = Steep()
        train(task, LabConfig(steps=1, clip=clip, device="cpu"), tmp_path / str(clip))
        norms[clip] = float(torch.cat([p.grad.flatten() for p in task.net.parameters()]).norm())
    assert norms[0.0] > 1
    assert norms[1e-3] == pytest.approx(1e-3, rel=1e-2)


def test_a_missing_card_is_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cuda:99"):
        train(Toy(), replace(toy_config(5), device="cuda:99"), tmp_path)
