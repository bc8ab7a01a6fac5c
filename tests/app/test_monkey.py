"""A short run of the monkey; ``focusviewer bench monkey`` makes long ones, over real slides and models."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer, qWarning

from focusviewer.app.monkey import Monkey, MonkeyReport, run_monkey

PATHS = [Path("/slides") / name for name in ("fake.svs", "other.svs", "stack.tif", "unscaled.png", "broken.svs")]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_actions_do_no_harm(window, listed, seed: int) -> None:
    report = run_monkey(window, [*PATHS, listed], 250, seed)
    assert report.actions == 250
    assert report.problems() == []


def test_the_monkey_notices_what_goes_wrong(window, monkeypatch) -> None:
    def bad(self: Monkey) -> str:
        QTimer.singleShot(0, lambda: qWarning("a warning"))
        QTimer.singleShot(0, lambda: 1 / 0)
        return "bad"

    monkeypatch.setattr(Monkey, "act", bad)
    monkeypatch.setattr(sys, "excepthook", lambda *error: None)
    report = run_monkey(window, PATHS, 1, 1)
    assert "exception: ZeroDivisionError('division by zero')" in report.problems()
    assert "warning: a warning" in report.problems()


def test_a_report_tells_standstill_and_growing_memory() -> None:
    report = MonkeyReport(actions=9000, blocked_ms=700.0, blocked_by="resize", memory_mb=[100.0] * 60 + [110.0] * 40)
    assert [text.split(" after")[0] for text in report.problems()] == [
        "the window stood still for 700 ms",
        "memory grew by 10 %",
    ]
    assert MonkeyReport(actions=9000, memory_mb=[50.0] * 20 + [100.0] * 80).problems() == []
