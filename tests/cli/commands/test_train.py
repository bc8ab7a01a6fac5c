from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from focusviewer.evaluation.cards import CardEvaluator
from focusviewer.training.common import save_weights
from focusviewer.training.lab import LabConfig, RunFacts, Task
from focusviewer.training.lab.entry import TaskEntry
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]


@dataclass(frozen=True)
class LineSettings:
    slope: float = 2.0


class Line(Task):
    """Learns a slope."""

    name = "line"
    stop_at = -1

    def __init__(self, data: Path | None, settings: LineSettings) -> None:
        self.settings = settings

    def prepare(self, config: LabConfig) -> None:
        self.net = nn.Linear(1, 1)

    def modules(self) -> dict[str, nn.Module]:
        return {"net": self.net}

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        if step == type(self).stop_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 1, generator=generator)
        return {"loss": (self.net(x) - self.settings.slope * x).square().mean()}

    def validate(self) -> dict[str, float]:
        return {"loss": abs(float(self.net.weight) - self.settings.slope)}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        save_weights(out / "line.safetensors", self.net.state_dict(), {})
        (out / "line.md").write_text(run.command)
        return [out / "line.safetensors"]


@pytest.fixture(autouse=True)
def _line_task(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = LabConfig(steps=30, learning_rate=0.1, device="cpu", checkpoint_s=0)
    entry = TaskEntry("toys", "line", "a straight line", Line, LineSettings(), defaults)
    monkeypatch.setattr("focusviewer.training.catalogue.entries", lambda: [entry])


def test_without_a_task_it_lists_what_can_be_trained(command: Command) -> None:
    outcome = command("train")
    assert outcome.code == 0
    assert "a straight line" in outcome.out


def test_cards_get_the_figures_of_the_evaluation(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(Line, "prepare", lambda task, config: given.append(task.evaluator) or 1 / 0)
    command("train", "toys", "--out", tmp_path / "out")
    assert [type(evaluator) for evaluator in given] == [CardEvaluator]


def test_a_file_and_options_set_the_run(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("steps = 900\nseed = 4\n[task]\nslope = -3.0\n")
    outcome = command("train", "toys", "--config", config, "--steps", 120, "--out", tmp_path / "out")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == str(tmp_path / "out" / "line.safetensors")
    assert float(load_file(tmp_path / "out" / "line.safetensors")["weight"]) < -2
    kept = (tmp_path / "out" / "line.toml").read_text()
    for line in ("steps = 120", "seed = 4", "slope = -3.0"):
        assert line in kept


@pytest.mark.parametrize(
    ("options", "text", "command_line"),
    [
        ((), "", "focusviewer train toys --steps 30 --seed 20"),
        (("--seed", 4, "--precision", "bf16"), "", "focusviewer train toys --steps 30 --seed 4 --precision bf16"),
        (("--steps", 7), "batch = 3", "focusviewer train toys --config line.toml --steps 7 --seed 20"),
        ((), "[task]\nslope = 1.0", "focusviewer train toys --config line.toml --steps 30 --seed 20"),
    ],
)
def test_the_card_names_the_command_that_makes_the_weights_again(
    command: Command, tmp_path: Path, options: tuple[object, ...], text: str, command_line: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    assert command("train", "toys", "--config", tmp_path / "run.toml", *options, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "line.md").read_text() == command_line


def test_recipes_come_before_the_file_and_the_options(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"steep": "steps = 7\nseed = 1\n[task]\nslope = 9.0\n", "late": "seed = 2\n"}.items():
        (tmp_path / f"toys-{name}.toml").write_text(text)
    monkeypatch.setattr("focusviewer.training.recipes.resource_path", lambda *parts: tmp_path)
    config, out = tmp_path / "run.toml", tmp_path / "out"
    config.write_text("[task]\nslope = 3.0\n")
    given = ("--recipe", "steep", "--recipe", "late", "--config", config, "--steps", 4)
    assert command("train", "toys", "--out", out, *given).code == 0
    written = (out / "line.toml").read_text()
    assert all(line in written for line in ("steps = 4", "seed = 2", "slope = 3.0"))
    outcome = command("train", "toys", "--out", tmp_path / "other", "--recipe", "none")
    assert outcome.code == 2 and "late, steep" in outcome.err


def test_an_interrupted_run_goes_on_with_resume_alone(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "run.toml"
    config.write_text("[task]\nslope = -3.0\n")
    assert command("train", "toys", "--config", config, "--seed", 7, "--out", tmp_path / "whole").code == 0
    monkeypatch.setattr(Line, "stop_at", 12)
    assert command("train", "toys", "--config", config, "--seed", 7, "--out", tmp_path / "out").code == 130
    monkeypatch.setattr(Line, "stop_at", -1)
    assert "already holds" in command("train", "toys", "--out", tmp_path / "out").err
    assert "seed = 8" in command("train", "toys", "--resume", "--seed", 8, "--out", tmp_path / "out").err
    assert command("train", "toys", "--resume", "--out", tmp_path / "out").code == 0
    weights = [load_file(tmp_path / name / "line.safetensors")["weight"] for name in ("whole", "out")]
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("toys",), "--out"),
        (("boats", "--out", "{}"), "Tasks: toys"),
        (("toys", "--model", "curve", "--out", "{}"), "Models: line"),
        (("toys", "--steps", "5", "--minutes", "1", "--out", "{}"), "both"),
        (("toys", "--steps", "0", "--out", "{}"), "--steps"),
        (("toys", "--device", "tpu", "--out", "{}"), "cuda:N"),
        (("toys", "--precision", "int8", "--out", "{}"), "bf16"),
        (("toys", "--resume", "--out", "{}"), "Nothing to resume"),
        (("toys", "--config", "nowhere.toml", "--out", "{}"), "nowhere.toml"),
    ],
)
def test_bad_usage_is_one_clear_line(command: Command, tmp_path: Path, arguments: tuple[str, ...], word: str) -> None:
    outcome = command("train", *(text.replace("{}", str(tmp_path / "out")) for text in arguments))
    assert outcome.code == 2
    assert word in outcome.err
    assert outcome.err.count("\n") == 1
