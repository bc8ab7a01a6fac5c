"""Verdicts on the slides' undo stacks: stack and file say the same, whoever writes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from focusviewer.app.services.undo import Edit
from focusviewer.core.errors import UserError
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.store import Worklist
from tests.app.worklist.fakes import press, quiet, verdicts_in

FAKE, OTHER, STACK = (f"fingerprint of {name}" for name in ("fake.svs", "other.svs", "stack.tif"))
P, V, X, Z = Qt.Key.Key_P, Qt.Key.Key_V, Qt.Key.Key_X, Qt.Key.Key_Z
CTRL = Qt.KeyboardModifier.ControlModifier


def items(window, fingerprint: str = FAKE) -> tuple[list[str], int]:
    """What lies on a slide's stack, and how much of it is done."""
    stack = window.undo.of(fingerprint)
    return [stack.text(index) for index in range(stack.count())], stack.index()


def stroke() -> Edit:
    """Something else that can be undone."""
    return Edit("Stroke", lambda: None, lambda: None, done=True)


def give(qtbot, window, fingerprint: str, verdict: Verdict) -> None:
    window.worklist.state.select(fingerprint)
    window.worklist.verdict_controller.give(verdict)
    quiet(qtbot, window)


@pytest.mark.parametrize("by_key", [True, False])
def test_undo_by_the_key_and_by_the_stack_are_the_same(window, open_list, listed, qtbot, by_key) -> None:
    open_list(window)
    press(qtbot, window, P)
    press(qtbot, window, X)
    assert items(window) == (["Verdict PASS", "Verdict RESCAN"], 2)
    window.worklist.state.select(OTHER)
    if by_key:
        press(qtbot, window, Z, CTRL)
    else:
        window.undo.of(FAKE).undo()
        quiet(qtbot, window)
    assert verdicts_in(listed, FAKE) == [("Anna", "PASS", False, False), ("Anna", "RESCAN", False, True)]
    assert items(window) == (["Verdict PASS", "Verdict RESCAN"], 1)
    assert window.worklist.state.selected == FAKE
    assert window.worklist.verdicts.buttons[Verdict.PASS].isChecked()
    assert any("Taken back: RESCAN on fake.svs" in message.text for message in window.messages.messages())


def test_what_was_undone_can_be_given_again(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    press(qtbot, window, Z, CTRL)
    window.undo.of(FAKE).redo()
    quiet(qtbot, window)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True), ("Anna", "RESCAN", False, False)]
    assert items(window) == (["Verdict RESCAN"], 1)
    window.undo.of(FAKE).undo()
    quiet(qtbot, window)
    assert [entry[3] for entry in verdicts_in(listed, FAKE)] == [True, True]


def test_undo_after_the_next_slide_was_opened_takes_back_the_last_verdict(window, open_list, listed, qtbot) -> None:
    open_list(window)
    window.worklist.verdicts.advance.setChecked(True)
    press(qtbot, window, X)
    qtbot.waitUntil(lambda: window.document is not None and window.document.name == "stack.tif", timeout=5000)
    quiet(qtbot, window)
    assert window.worklist.state.selected == STACK
    assert items(window) == (["Verdict RESCAN"], 1)
    press(qtbot, window, Z, CTRL)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]
    assert items(window) == (["Verdict RESCAN"], 0)
    assert window.worklist.state.selected == FAKE


def test_an_older_verdict_on_another_slide_is_undone_by_its_own_stack(window, open_list, listed, qtbot) -> None:
    open_list(window)
    give(qtbot, window, FAKE, Verdict.RESCAN)
    give(qtbot, window, OTHER, Verdict.PASS)
    window.undo.of(FAKE).undo()
    quiet(qtbot, window)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]
    assert verdicts_in(listed, OTHER) == [("Anna", "PASS", False, False)]
    assert (items(window), items(window, OTHER)) == ((["Verdict RESCAN"], 0), (["Verdict PASS"], 1))


def test_a_verdict_of_an_earlier_session_has_no_item_and_is_taken_back_all_the_same(
    window, open_list, listed, qtbot
) -> None:
    with Worklist(listed) as worklist:
        worklist.give_verdict(STACK, Verdict.REVIEW, "Anna")
    open_list(window)
    press(qtbot, window, Z, CTRL)
    assert verdicts_in(listed, STACK) == [("Anna", "REVIEW", False, True)]
    assert window.worklist.state.selected == STACK
    assert items(window, STACK) == ([], 0)


def test_a_verdict_below_something_else_becomes_obsolete(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    stack = window.undo.of(FAKE)
    stack.push(stroke())
    press(qtbot, window, Z, CTRL)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]
    assert items(window) == (["Verdict RESCAN", "Stroke"], 2)  # the stroke stays done
    stack.undo()
    stack.undo()
    quiet(qtbot, window)
    assert items(window) == (["Stroke"], 0)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]


def test_another_windows_undo_drops_the_item(window, second, open_list, listed, qtbot) -> None:
    open_list(window)
    open_list(second)
    give(qtbot, window, FAKE, Verdict.RESCAN)
    give(qtbot, window, OTHER, Verdict.PASS)
    second.worklist.verdict_controller.undo()  # the same reader: that of other.svs
    quiet(qtbot, second)
    window.worklist.session.poll()
    quiet(qtbot, window)
    assert items(window, OTHER) == ([], 0)
    assert items(window) == (["Verdict RESCAN"], 1)
    press(qtbot, window, Z, CTRL)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]


def test_another_programs_verdict_of_the_same_reader_drops_the_items_below(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, P)
    window.undo.of(FAKE).push(stroke())
    press(qtbot, window, X)
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.REVIEW, "Anna")
    window.worklist.session.poll()
    quiet(qtbot, window)
    stack = window.undo.of(FAKE)
    assert items(window) == (["Verdict PASS", "Stroke"], 2)
    assert stack.command(0).isObsolete() and not stack.command(1).isObsolete()
    press(qtbot, window, Z, CTRL)
    assert [entry[3] for entry in verdicts_in(listed, FAKE)] == [False, False, True]


def test_another_readers_verdict_leaves_the_items(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.PASS, "Ben")
    window.worklist.session.poll()
    quiet(qtbot, window)
    assert items(window) == (["Verdict RESCAN"], 1)
    window.undo.of(FAKE).undo()
    quiet(qtbot, window)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True), ("Ben", "PASS", False, False)]


def test_closing_the_list_drops_the_verdicts_and_nothing_else(window, open_list, listed, qtbot) -> None:
    open_list(window)
    stack = window.undo.of(FAKE)
    stack.push(stroke())
    press(qtbot, window, P)
    press(qtbot, window, X)
    press(qtbot, window, Z, CTRL)
    assert items(window) == (["Stroke", "Verdict PASS", "Verdict RESCAN"], 2)
    window.worklist.close()
    quiet(qtbot, window)
    assert items(window) == (["Stroke"], 1)
    assert [entry[3] for entry in verdicts_in(listed, FAKE)] == [False, True]


def test_a_failed_write_leaves_no_item(window, open_list, listed, monkeypatch, qtbot) -> None:
    def full(self, *args, **kwargs):
        raise UserError("Cannot write to the worklist", "the disk is full", "Free some space.")

    open_list(window)
    with monkeypatch.context() as patch:
        patch.setattr(Worklist, "give_verdict", full)
        press(qtbot, window, X)
    assert items(window) == ([], 0)
    press(qtbot, window, P)
    with monkeypatch.context() as patch:
        patch.setattr(Worklist, "undo", full)
        press(qtbot, window, Z, CTRL)
        assert items(window) == (["Verdict PASS"], 1)  # it stands in the file
        window.undo.of(FAKE).undo()
        quiet(qtbot, window)
    assert items(window) == ([], 0)  # it stands, so no stack may say that it was undone
    assert verdicts_in(listed, FAKE) == [("Anna", "PASS", False, False)]


def test_a_verdict_that_somebody_has_just_taken_back_is_not_undone_twice(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    with Worklist(listed) as worklist:
        worklist.undo("Anna")
    window.undo.of(FAKE).undo()  # before this window has noticed
    quiet(qtbot, window)
    assert items(window) == ([], 0)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]


def test_undo_and_redo_in_one_breath_leave_stack_and_file_alike(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    stack = window.undo.of(FAKE)
    stack.undo()
    stack.redo()
    quiet(qtbot, window)
    assert items(window) == (["Verdict RESCAN"], 1)
    assert [entry[3] for entry in verdicts_in(listed, FAKE)] == [True, False]
    stack.undo()
    stack.redo()
    stack.undo()
    quiet(qtbot, window)
    assert items(window) == (["Verdict RESCAN"], 0)
    assert all(entry[3] for entry in verdicts_in(listed, FAKE))
