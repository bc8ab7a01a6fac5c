"""Verdicts given in the window: by key and button, noted, undone, blinded, by several readers."""

from __future__ import annotations

from PySide6.QtCore import Qt

from focusviewer.app.worklist.lines import Column
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.store import Worklist
from tests.app.worklist.fakes import listed_names, press, quiet, verdicts_in

FAKE, OTHER, STACK = (f"fingerprint of {name}" for name in ("fake.svs", "other.svs", "stack.tif"))
P, V, X = Qt.Key.Key_P, Qt.Key.Key_V, Qt.Key.Key_X


def test_a_verdict_by_key_is_in_the_file_at_once(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, False)]
    assert window.worklist.verdicts.buttons[Verdict.RESCAN].isChecked()
    assert window.worklist.panel.figures.text().startswith("1 of 3 judged, 1 by you")
    press(qtbot, window, P)
    assert [entry[1] for entry in verdicts_in(listed, FAKE)] == ["RESCAN", "PASS"]
    assert window.worklist.verdicts.history.text().count("Anna") == 2


def test_a_button_gives_the_verdict_too_and_stands_for_what_is_stored(window, open_list, listed, qtbot) -> None:
    open_list(window)
    made = window.worklist.verdicts.buttons[Verdict.REVIEW]
    made.click()
    assert not made.isChecked()  # not before it is written
    quiet(qtbot, window)
    assert made.isChecked()
    assert verdicts_in(listed, FAKE) == [("Anna", "REVIEW", False, False)]


def test_keys_typed_into_the_note_are_text_and_the_note_is_kept_with_the_verdict(
    window, open_list, listed, qtbot
) -> None:
    open_list(window)
    window.activateWindow()
    window.worklist.verdicts.edit_note()
    qtbot.waitUntil(window.worklist.verdicts.note.hasFocus, timeout=3000)
    qtbot.keyClicks(window.worklist.verdicts.note, "px v")
    assert verdicts_in(listed, FAKE) == []
    press(qtbot, window, V)
    with Worklist(listed) as worklist:
        assert worklist.history(FAKE)[0].note == "px v"
    window.worklist.verdicts.note.setText("changed")
    window.worklist.verdicts.note.setModified(True)
    window.worklist.state.select(OTHER)  # turning to another slide keeps it
    quiet(qtbot, window)
    with Worklist(listed) as worklist:
        assert [(entry.verdict.value, entry.note) for entry in worklist.history(FAKE)][-1] == ("REVIEW", "changed")
    assert window.worklist.verdicts.note.text() == ""


def test_undo_takes_back_the_last_verdict_and_turns_to_its_slide(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    window.worklist.state.select(OTHER)
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]
    assert window.worklist.state.selected == FAKE
    assert not window.worklist.verdicts.buttons[Verdict.RESCAN].isChecked()
    assert "taken back" in window.worklist.verdicts.history.text()
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert any("no verdict left" in message.text for message in window.messages.messages())


def test_two_windows_on_one_worklist_lose_nothing_and_show_both_histories(
    window, second, open_list, listed, qtbot
) -> None:
    open_list(window, "Anna")
    open_list(second, "Ben")
    names = {window: "Anna", second: "Ben"}
    for _ in range(5):  # both lanes write at the same time
        for each in names:
            each.worklist.state.select(FAKE)
            each.worklist.verdict_controller.give(Verdict.RESCAN if each is window else Verdict.PASS)
    quiet(qtbot, window, second)
    written = verdicts_in(listed, FAKE)
    assert sorted(written) == sorted([("Anna", "RESCAN", False, False), ("Ben", "PASS", False, False)] * 5)
    for each in names:
        each.worklist.session.poll()
        quiet(qtbot, each)
        text = each.worklist.verdicts.history.text()
        assert text.count("Anna: RESCAN") == text.count("Ben: PASS") == 5
        assert each.worklist.verdicts.buttons[Verdict.RESCAN].isChecked() == (each is window)  # each their own
    with Worklist(listed) as worklist:
        assert worklist.check() == "ok"


def test_blinded_hides_findings_order_and_map_until_the_verdict_is_given(window, open_list, listed, qtbot) -> None:
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.PASS, "Ben", "looks fine")
    open_list(window)
    window.worklist.verdicts.blinded.setChecked(True)
    quiet(qtbot, window)
    assert listed_names(window) == ["fake.svs", "other.svs", "stack.tif"]  # by name
    lines = {line.fingerprint: line for line in window.worklist.panel.table.lines.lines}
    told = [line.text(column) for line in lines.values() for column in Column if column is not Column.SLIDE]
    assert set(told) == {""}
    window.worklist.navigator.open_slide(FAKE)
    qtbot.waitUntil(lambda: window.document is not None, timeout=5000)
    quiet(qtbot, window)
    panel = window.worklist.verdicts
    assert window.heatmap.shown is None
    assert not panel.program.isVisible()
    assert not panel.regions.isVisible()
    assert panel.history.text() == panel.score.text() == ""
    assert "hidden" in panel.reasons.text()
    window.mapping.run()  # nor is it made meanwhile
    quiet(qtbot, window)
    assert window.heatmap.shown is None

    window.worklist.panel.table.setFocus()
    press(qtbot, window, V)
    qtbot.waitUntil(lambda: window.heatmap.shown is not None, timeout=5000)
    assert panel.program.verdict is Verdict.RESCAN
    assert "Ben: PASS" in panel.history.text()
    assert verdicts_in(listed, FAKE)[-1] == ("Anna", "REVIEW", True, False)
    press(qtbot, window, X)  # now the finding is known
    assert verdicts_in(listed, FAKE)[-1] == ("Anna", "RESCAN", False, False)


def test_after_undo_a_blinded_reader_has_seen_the_finding(window, open_list, listed, qtbot) -> None:
    open_list(window)
    window.worklist.verdicts.blinded.setChecked(True)
    press(qtbot, window, P)
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    press(qtbot, window, X)
    assert [entry[2] for entry in verdicts_in(listed, FAKE)] == [True, False]


def test_agreement_of_two_readers_is_shown(window, open_list, listed, qtbot) -> None:
    with Worklist(listed) as worklist:
        for who, verdicts in (("Ben", "PPR"), ("Cara", "PRR")):
            for fingerprint, letter in zip((FAKE, OTHER, STACK), verdicts, strict=True):
                verdict = Verdict.PASS if letter == "P" else Verdict.RESCAN
                worklist.give_verdict(fingerprint, verdict, who)
    open_list(window)
    # alike 2 of 3; by chance (2*1 + 1*2) / 9 = 4/9: (2/3 - 4/9) / (5/9) = 0.4
    assert "Ben and Cara: κ = 0.40, 2 of 3 slides alike" in window.worklist.panel.agreement.text()


def test_a_verdict_that_cannot_be_written_is_told(window, open_list, monkeypatch, qtbot) -> None:
    from focusviewer.core.errors import UserError

    def full(self, *args, **kwargs):
        raise UserError("Cannot write to the worklist", "the disk is full", "Free some space.")

    open_list(window)
    monkeypatch.setattr(Worklist, "give_verdict", full)
    press(qtbot, window, X)
    text = window.messages.messages()[0].text
    assert "The verdict on fake.svs was not kept" in text
    assert "disk is full" in text
    assert not window.worklist.verdicts.buttons[Verdict.RESCAN].isChecked()


def test_the_reader_is_asked_once(window, listed, qtbot) -> None:
    from PySide6.QtWidgets import QInputDialog

    window.worklist.session.timer.setInterval(60_000)
    window.open_paths([listed])
    qtbot.waitUntil(lambda: bool(window.findChildren(QInputDialog)), timeout=5000)
    dialog = window.findChildren(QInputDialog)[0]
    assert dialog.textValue() == window.worklist.state.reader  # the account's name to begin with
    dialog.setTextValue("  Dr. Müller ")
    dialog.accept()
    assert window.settings.reader == window.worklist.state.reader == "Dr. Müller"
    quiet(qtbot, window)
    window.worklist.close()
    quiet(qtbot, window)
    assert not window.worklist.section.isVisible()
    window.open_paths([listed])
    qtbot.waitUntil(lambda: window.worklist.state.is_open, timeout=5000)
    qtbot.wait(30)
    assert not [dialog for dialog in window.findChildren(QInputDialog) if dialog.isVisible()]


def test_after_a_verdict_the_next_slide_opens_if_wished(window, open_list, qtbot) -> None:
    open_list(window)
    window.worklist.verdicts.advance.setChecked(True)
    press(qtbot, window, X)
    qtbot.waitUntil(lambda: window.document is not None and window.document.name == "stack.tif", timeout=5000)
    assert window.worklist.state.selected == STACK
    assert window.settings.next_after_verdict
