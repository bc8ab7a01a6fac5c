"""A worklist where one may only read: on an archive, a disc, a share of others."""

from __future__ import annotations

import os

from focusviewer.app.worklist.state import READ_ONLY
from focusviewer.qc.verdicts.judgement import Verdict
from tests.app.worklist.fakes import listed_names, quiet, verdicts_in

FAKE = "fingerprint of fake.svs"


def texts(window) -> list[str]:
    return [message.text for message in window.messages.messages()]


def test_the_list_is_shown_and_changes_are_refused_with_one_message(
    window, open_list, listed, qtbot, monkeypatch
) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    before = listed.read_bytes()
    open_list(window)
    assert len(listed_names(window)) == 3
    assert texts(window) == [READ_ONLY]
    window.worklist.state.select(FAKE)
    for _ in range(3):
        window.worklist.verdict_controller.give(Verdict.PASS)
        window.worklist.verdict_controller.undo()
        window.worklist.verdicts.note.setText("seen")
        window.worklist.verdict_controller.enter_note()
        window.worklist.session.poll()
    quiet(qtbot, window)
    assert texts(window) == [READ_ONLY]
    window.worklist.close()
    quiet(qtbot, window)
    monkeypatch.undo()
    assert verdicts_in(listed, FAKE) == []
    assert listed.read_bytes() == before
