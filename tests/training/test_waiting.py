"""Words while something takes minutes."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest

from focusviewer.training import waiting as words
from focusviewer.training.data.bank import BankConfig, focus_bank
from focusviewer.training.waiting import tell, waiting


def test_what_takes_long_is_said_again_and_again_with_how_far_it_is() -> None:
    stream = io.StringIO()
    with waiting("making crops", stream, 0.02, 0.02):
        tell("10 of 20")
        time.sleep(0.2)
    lines = stream.getvalue().splitlines()
    assert len(lines) > 1
    assert set(lines) <= {"making crops (0 s)", "making crops, 10 of 20 (0 s)"}
    assert lines[-1] == "making crops, 10 of 20 (0 s)"
    time.sleep(0.05)
    assert stream.getvalue().splitlines() == lines


def test_what_is_done_at_once_needs_no_word() -> None:
    stream = io.StringIO()
    with waiting("making crops", stream):
        tell("1 of 2")
    assert stream.getvalue() == ""
    tell("nobody waits")


def test_making_a_bank_says_how_far_it_is(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def simulated(crops: object, count: int, side: int, *rest: object) -> tuple[np.ndarray, ...]:
        return np.zeros((count, side, side, 3), np.uint8), np.zeros(count), np.zeros(count, np.int32)

    monkeypatch.setattr("focusviewer.training.data.bank._PIECE", 8)
    monkeypatch.setattr("focusviewer.training.data.bank.simulate_focus_crops", simulated)
    monkeypatch.setattr("focusviewer.training.data.bank.sharp_crops", lambda sources, side: None)
    said: list[str] = []
    monkeypatch.setattr("focusviewer.training.data.bank.tell", said.append)
    focus_bank(tiny_data, "train", BankConfig(0.5, 24))
    assert said == [f"{done} of 24 train crops of 0.5 µm per pixel" for done in (0, 8, 16)]
    assert words.FIRST_S < 5
