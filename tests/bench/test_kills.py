"""Programs killed at random moments; ``focusviewer bench kill`` does so 50 times for each kind."""

from __future__ import annotations

import signal

import pytest

from focusviewer.bench import kills
from focusviewer.bench.kills import kill_programs

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX systems")


def test_verdicts_survive_kills() -> None:
    report = kill_programs(3, 5, lambda part, text: None, ["verdicts"])
    assert report.kills == {"verdicts": 3}
    assert report.problems == []


def test_what_is_lost_or_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        kills, "VERDICTS", kills.VERDICTS.replace("number += 1", "number += 2; open(sys.argv[1] + '.tmp', 'w').close()")
    )
    report = kill_programs(2, 5, lambda part, text: None, ["verdicts"])
    assert any("lost after kill" in text for text in report.problems)
    assert "verdicts: left behind: worklist.sqlite.tmp" in report.problems
