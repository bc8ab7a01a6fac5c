from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from focusviewer.core.errors import UserError
from focusviewer.training.catalogue import entries
from focusviewer.training.lab.config import LabConfig, read_config, write_config
from focusviewer.training.lab.curve import draw_curve
from focusviewer.training.lab.pace import clock
from focusviewer.training.lab.plotting import ticks


@dataclass(frozen=True)
class Own:
    width: int = 48
    kinds: tuple[int, ...] = (1, 2)
    loss: Literal["l1", "l2"] = "l1"
    note: str = "plain"
    deep: bool = False


DEFAULTS = LabConfig(minutes=8, seed=30, batch=16)


def read(tmp_path: Path, text: str) -> tuple[LabConfig, Own]:
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, DEFAULTS, Own())


def test_a_file_replaces_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    config, own = read(tmp_path, "steps = 400\nlearning_rate = 1\n[task]\nkinds = [3]\ndeep = true\n")
    assert config == replace(DEFAULTS, steps=400, minutes=None, learning_rate=1.0)
    assert isinstance(config.learning_rate, float)
    assert own == Own(kinds=(3,), deep=True)


def test_written_settings_are_read_back_as_they_were(tmp_path: Path) -> None:
    config = LabConfig(minutes=0.1, seed=2**62, learning_rate=1e-7, device="cuda:1", precision="bf16", clip=0.0)
    own = Own(width=1, kinds=(), loss="l2", note='a "quote", a \\ and µ', deep=True)
    write_config(tmp_path / "x.toml", config, own)
    assert read_config(tmp_path / "x.toml", DEFAULTS, Own()) == (config, own)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step = 4", r"Unknown setting step in .*run\.toml.*Did you mean steps\?"),
        ("[task]\nwidht = 4", r"Unknown setting widht in .*\[task\].*width"),
        ("[other]\nx = 1", "Unknown setting other"),
        ('steps = "4"', 'steps .* is "4": it must be a whole number'),
        ("steps = 4.0", "it must be a whole number"),
        ("steps = true", "it must be a whole number"),
        ("learning_rate = nan", "it must be a number"),
        ('learning_rate = "fast"', "it must be a number"),
        ('precision = "float16"', '"float32" or "bf16"'),
        ("[task]\nkinds = 3", "a list, each a whole number"),
        ("[task]\nkinds = [1, 2.5]", "a list, each a whole number"),
        ('[task]\nloss = "l3"', '"l1" or "l2"'),
        ("task = 3", "task .* is no table"),
        ("steps = 0", "at least 1"),
        ("minutes = 0.0", "above 0"),
        ("minutes = 1e300", "at most"),
        ("steps = 5\nminutes = 5.0", "both set"),
        ("seed = -1", "0 or more"),
        ("batch = 0", "at least 1"),
        ("validations = 0", "at least 1"),
        ("learning_rate = 0.0", "above 0"),
        ("clip = -1", "0 or more"),
        ('device = "gpu"', "auto, cpu, cuda or cuda:N"),
        ("steps = ", "no TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml"):
        read_config(tmp_path / "none.toml", DEFAULTS, Own())


def test_the_settings_of_every_task_can_be_written_and_read(tmp_path: Path) -> None:
    for entry in entries():
        path = tmp_path / f"{entry.task} {entry.model}.toml"
        write_config(path, entry.defaults, entry.settings)
        assert read_config(path, entry.defaults, entry.settings) == (entry.defaults, entry.settings), path.name


def test_a_length_replaces_the_other_kind_of_length() -> None:
    assert DEFAULTS.overridden(steps=9, seed=None) == replace(DEFAULTS, steps=9, minutes=None)
    assert DEFAULTS.overridden(steps=9).overridden(minutes=2.0).steps is None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.13, 0.29, [0.15, 0.2, 0.25]), (3, 3, [3]), (-1, 1, [-1, -0.5, 0, 0.5, 1])],
)
def test_axes_have_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_curve_is_drawn_of_any_log(tmp_path: Path) -> None:
    nan = float("nan")
    for rows in ([], [{"step": 1.0, "learning_rate": 1.0, "loss": 2.0}], [{"step": 1.0, "loss": nan, "mae": nan}] * 2):
        draw_curve(tmp_path / "curve.png", "run", rows, ["mae"], 10)
        assert (tmp_path / "curve.png").stat().st_size > 1000


@pytest.mark.parametrize(("seconds", "text"), [(4, "0:04"), (75, "1:15"), (3700, "1:01:40")])
def test_times_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert clock(seconds) == text
