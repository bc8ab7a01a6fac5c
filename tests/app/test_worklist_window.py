from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_fakes import FakeSlide
from PySide6.QtCore import QEvent, Qt
from worklist_fakes import enter, make_worklist

from focusviewer.app.controllers.worklist import WorklistController
from focusviewer.app.models.worklist import Column, Sieve
from focusviewer.app.settings import Settings
from focusviewer.app.views.dialogs import shortcut_sheet
from focusviewer.app.views.main_window import MainWindow
from focusviewer.focus.base import LEVEL_UM
from focusviewer.qc.judge import Verdict
from focusviewer.qc.rules import Thresholds
from focusviewer.qc.store import FILE_NAME, Worklist

FAKE, OTHER, STACK = (f"fingerprint of {name}" for name in ("fake.svs", "other.svs", "stack.tif"))
P, V, X = Qt.Key.Key_P, Qt.Key.Key_V, Qt.Key.Key_X


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    slides = [FakeSlide(), FakeSlide("other.svs", (1500, 1700)), FakeSlide("stack.tif", (1200, 900))]
    return make_worklist(tmp_path_factory.mktemp("worklist"), {slide.name: slide for slide in slides}).parent


@pytest.fixture
def listed(tmp_path: Path, template: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "night")) / FILE_NAME


def quiet(qtbot, *windows: MainWindow) -> None:
    qtbot.waitUntil(lambda: not any(window.jobs.running() for window in windows), timeout=8000)
    qtbot.wait(5)
    qtbot.waitUntil(lambda: not any(window.jobs.running() for window in windows), timeout=8000)


@pytest.fixture
def open_list(qtbot, listed: Path) -> Callable[..., None]:
    """Open the worklist in a window, as Anna unless told otherwise."""

    def open_(window: MainWindow, reader: str = "Anna", path: Path | None = None) -> None:
        window.review.store.timer.setInterval(60_000)  # tests look for themselves
        window.review.set_reader(reader)
        window.open_paths([path or listed])
        qtbot.waitUntil(lambda: window.review.store.is_open, timeout=8000)
        quiet(qtbot, window)

    return open_


@pytest.fixture
def second(qtbot, qapp, window: MainWindow) -> Iterator[MainWindow]:
    made = MainWindow(Settings(), remember=False)
    made.slides.opener = window.slides.opener
    made.show()
    yield made
    made.close()
    made.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def listed_names(window: MainWindow) -> list[str]:
    return [line.name for line in window.worklist_panel.table.lines.lines]


def press(qtbot, window: MainWindow, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=3000)
    qtbot.keyClick(window.worklist_panel.table, key, modifier)
    quiet(qtbot, window)


def verdicts_in(path: Path, fingerprint: str) -> list[tuple[str, str, bool, bool]]:
    with Worklist(path) as worklist:
        return [(v.who, v.verdict.value, v.blinded, bool(v.undone_at)) for v in worklist.history(fingerprint)]


def test_a_folder_with_a_worklist_opens_it_with_the_worst_slide_first(window, open_list, listed) -> None:
    open_list(window, path=listed.parent)
    assert listed_names(window)[0] == "fake.svs"
    assert listed_names(window)[-1] == "other.svs"
    assert window.worklist.isVisible()
    assert window.tools.verdict_section.isVisible()
    assert window.worklist_panel.failures_section.header.text() == "Could not be judged (1)"
    assert "truncated" in window.worklist_panel.failures.item(0).text()
    assert window.review.current == FAKE
    assert "blurred" in window.verdict_panel.reasons.text()


def test_a_verdict_by_key_is_in_the_file_at_once(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, False)]
    assert window.verdict_panel.buttons[Verdict.RESCAN].isChecked()
    assert window.worklist_panel.figures.text().startswith("1 of 3 judged, 1 by you")
    press(qtbot, window, P)
    assert [entry[1] for entry in verdicts_in(listed, FAKE)] == ["RESCAN", "PASS"]
    assert window.verdict_panel.history.text().count("Anna") == 2


def test_a_button_gives_the_verdict_too_and_stands_for_what_is_stored(window, open_list, listed, qtbot) -> None:
    open_list(window)
    made = window.verdict_panel.buttons[Verdict.REVIEW]
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
    window.review.edit_note()
    qtbot.waitUntil(window.verdict_panel.note.hasFocus, timeout=3000)
    qtbot.keyClicks(window.verdict_panel.note, "px v")
    assert verdicts_in(listed, FAKE) == []
    press(qtbot, window, V)
    with Worklist(listed) as worklist:
        assert worklist.history(FAKE)[0].note == "px v"
    window.verdict_panel.note.setText("changed")
    window.verdict_panel.note.setModified(True)
    window.review.select(OTHER)  # turning to another slide keeps it
    quiet(qtbot, window)
    with Worklist(listed) as worklist:
        assert [(entry.verdict.value, entry.note) for entry in worklist.history(FAKE)][-1] == ("REVIEW", "changed")
    assert window.verdict_panel.note.text() == ""


def test_undo_takes_back_the_last_verdict_and_turns_to_its_slide(window, open_list, listed, qtbot) -> None:
    open_list(window)
    press(qtbot, window, X)
    window.review.select(OTHER)
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert verdicts_in(listed, FAKE) == [("Anna", "RESCAN", False, True)]
    assert window.review.current == FAKE
    assert not window.verdict_panel.buttons[Verdict.RESCAN].isChecked()
    assert "taken back" in window.verdict_panel.history.text()
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
            each.review.select(FAKE)
            each.review.give(Verdict.RESCAN if each is window else Verdict.PASS)
    quiet(qtbot, window, second)
    written = verdicts_in(listed, FAKE)
    assert sorted(written) == sorted([("Anna", "RESCAN", False, False), ("Ben", "PASS", False, False)] * 5)
    for each in names:
        each.review.store.poll()
        quiet(qtbot, each)
        text = each.verdict_panel.history.text()
        assert text.count("Anna: RESCAN") == text.count("Ben: PASS") == 5
        assert each.verdict_panel.buttons[Verdict.RESCAN].isChecked() == (each is window)  # each their own
    with Worklist(listed) as worklist:
        assert worklist.check() == "ok"


def test_what_another_window_writes_appears_and_is_told(window, second, open_list, listed, qtbot) -> None:
    open_list(window, "Anna")
    open_list(second, "Ben")
    second.review.select(FAKE)
    second.review.give(Verdict.PASS)
    quiet(qtbot, second)
    window.review.store.timer.setInterval(20)
    qtbot.waitUntil(lambda: window.review.line.person is not None, timeout=5000)
    window.review.store.timer.setInterval(60_000)
    assert window.review.line.person.who == "Ben"
    assert window.worklist_panel.table.lines.lines[0].text(Column.PERSON) == "PASS"
    assert any("Ben has just judged fake.svs: PASS" in message.text for message in window.messages.messages())


def test_a_slide_that_a_batch_adds_appears(window, open_list, listed, slides, qtbot) -> None:
    open_list(window)
    with Worklist(listed) as worklist:
        enter(worklist, slides["unscaled.png"], 12.0)
    window.review.store.poll()
    quiet(qtbot, window)
    assert "unscaled.png" in listed_names(window)


def test_blinded_hides_findings_order_and_map_until_the_verdict_is_given(window, open_list, listed, qtbot) -> None:
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.PASS, "Ben", "looks fine")
    open_list(window)
    window.verdict_panel.blinded.setChecked(True)
    quiet(qtbot, window)
    assert listed_names(window) == ["fake.svs", "other.svs", "stack.tif"]  # by name
    lines = {line.fingerprint: line for line in window.worklist_panel.table.lines.lines}
    told = [line.text(column) for line in lines.values() for column in Column if column is not Column.SLIDE]
    assert set(told) == {""}
    window.review.walk.open_slide(FAKE)
    qtbot.waitUntil(lambda: window.document is not None, timeout=5000)
    quiet(qtbot, window)
    panel = window.verdict_panel
    assert window.heatmap.shown is None
    assert not panel.program.isVisible()
    assert not panel.regions.isVisible()
    assert panel.history.text() == panel.score.text() == ""
    assert "hidden" in panel.reasons.text()
    window.focusing.run_heatmap()  # nor is it made behind the veil
    quiet(qtbot, window)
    assert window.heatmap.shown is None

    window.worklist_panel.table.setFocus()
    press(qtbot, window, V)
    qtbot.waitUntil(lambda: window.heatmap.shown is not None, timeout=5000)
    assert panel.program.verdict is Verdict.RESCAN
    assert "Ben: PASS" in panel.history.text()
    assert verdicts_in(listed, FAKE)[-1] == ("Anna", "REVIEW", True, False)
    press(qtbot, window, X)  # now the finding is known
    assert verdicts_in(listed, FAKE)[-1] == ("Anna", "RESCAN", False, False)


def test_after_undo_a_blinded_reader_has_seen_the_finding(window, open_list, listed, qtbot) -> None:
    open_list(window)
    window.verdict_panel.blinded.setChecked(True)
    press(qtbot, window, P)
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    press(qtbot, window, X)
    assert [entry[2] for entry in verdicts_in(listed, FAKE)] == [True, False]


def test_filters_and_order_change_what_is_listed(window, open_list, qtbot) -> None:
    open_list(window)
    panel = window.worklist_panel
    panel.search.setText("OTHER")
    assert listed_names(window) == ["other.svs"]
    assert "1 listed" in panel.figures.text()
    panel.search.setText("no such")
    assert listed_names(window) == []
    assert panel.nothing.isVisible()
    panel.search.clear()
    panel.sieve.setCurrentIndex(panel.sieve.findData(Sieve.RESCAN))
    assert listed_names(window) == ["fake.svs"]
    panel.sieve.setCurrentIndex(panel.sieve.findData(Sieve.ALL))
    panel.table.horizontalHeader().setSortIndicator(0, Qt.SortOrder.AscendingOrder)
    assert listed_names(window) == ["fake.svs", "other.svs", "stack.tif"]
    panel.table.horizontalHeader().setSortIndicator(3, Qt.SortOrder.AscendingOrder)
    assert listed_names(window)[0] == "other.svs"
    window.review.select(FAKE)
    press(qtbot, window, X)
    panel.sieve.setCurrentIndex(panel.sieve.findData(Sieve.MINE))
    assert sorted(listed_names(window)) == ["other.svs", "stack.tif"]


def test_enter_opens_the_slide_with_its_stored_map_and_the_next_closes_it(window, open_list, qtbot, slides) -> None:
    open_list(window)
    made = []
    window.heatmap.maker = lambda *args: made.append(args)
    window.heatmap.finished.connect(made.append)
    press(qtbot, window, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.heatmap.shown is not None, timeout=5000)
    assert window.document.name == "fake.svs"
    assert window.heatmap.shown.blur[8, 9] == 16.0
    assert window.heatmap_panel.threshold.value() == pytest.approx(Thresholds().blurred_um / LEVEL_UM)  # as judged
    assert not window.verdict_panel.elsewhere.isVisible()
    press(qtbot, window, Qt.Key.Key_J)
    qtbot.waitUntil(lambda: window.document is not None and window.document.name == "stack.tif", timeout=5000)
    quiet(qtbot, window)
    assert slides["fake.svs"].closed
    assert window.review.current == STACK
    assert made == []  # nothing was computed


def test_a_map_of_another_file_is_not_shown(window, open_list, listed, slides, qtbot) -> None:
    with Worklist(listed) as worklist:
        folder = worklist.folder / worklist.slide(FAKE).result.folder
    text = (folder / "summary.json").read_text(encoding="utf-8")
    (folder / "summary.json").write_text(text.replace(FAKE, "another"), encoding="utf-8")
    open_list(window)
    window.review.walk.open_slide(FAKE)
    qtbot.waitUntil(lambda: any("is not shown" in m.text for m in window.messages.messages()), timeout=5000)
    assert window.heatmap.shown is None


def test_the_region_keys_go_from_the_worst_to_the_least_and_around(window, open_list, qtbot) -> None:
    open_list(window)
    press(qtbot, window, Qt.Key.Key_W)  # opens it
    qtbot.waitUntil(lambda: window.document is not None, timeout=5000)
    quiet(qtbot, window)
    regions = window.review.line.regions
    assert len(regions) == 2
    assert regions[0].mean_um > regions[1].mean_um
    view = window.document.view
    seen = []
    for key in (Qt.Key.Key_W, Qt.Key.Key_W, Qt.Key.Key_W):
        press(qtbot, window, key)
        seen.append((view.cx, view.cy))
        assert window.viewport.mark.rect is not None
    for (x, y), region in zip(seen, (regions[0], regions[1], regions[0]), strict=True):
        assert region.x <= x <= region.x + region.width
        assert region.y <= y <= region.y + region.height
    press(qtbot, window, Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert (view.cx, view.cy) == seen[1]
    assert window.verdict_panel.regions.currentRow() == 1


def test_a_moved_threshold_shows_its_effect_and_writes_nothing(window, open_list, listed, qtbot) -> None:
    open_list(window)
    with Worklist(listed) as worklist:
        before = worklist.revision()
    preview = window.worklist_panel.preview
    preview.value.setValue(0.2)  # of blurred_um: all of the good slide lies 0.25 um from focus
    qtbot.waitUntil(lambda: "would change" in preview.effect.text(), timeout=5000)
    quiet(qtbot, window)
    assert "1 × PASS → RESCAN" in preview.effect.text()
    lines = {line.fingerprint: line for line in window.worklist_panel.table.lines.lines}
    assert lines[OTHER].program is Verdict.PASS
    assert lines[OTHER].would_be is Verdict.RESCAN
    assert lines[FAKE].would_be is None  # is RESCAN already
    window.worklist_panel.sieve.setCurrentIndex(window.worklist_panel.sieve.findData(Sieve.MOVED))
    assert "other.svs" in listed_names(window)
    assert "fake.svs" not in listed_names(window)
    preview.reset.click()
    assert listed_names(window) == []
    with Worklist(listed) as worklist:
        assert worklist.revision() == before


def test_a_file_of_rules_is_tried_on_the_list(window, open_list, listed, qtbot, tmp_path) -> None:
    open_list(window)
    review = window.review.preview
    preview = window.worklist_panel.preview
    path = tmp_path / "strict.toml"
    path.write_text('name = "strict"\nversion = "9"\n[defaults]\nblurred_um = 0.2\n', encoding="utf-8")
    review.load(path)
    qtbot.waitUntil(lambda: "would change" in preview.effect.text(), timeout=5000)
    quiet(qtbot, window)
    assert "1 × PASS → RESCAN" in preview.effect.text() and preview.named.text().startswith("Rules: strict 9")
    preview.reset.click()
    quiet(qtbot, window)
    assert "Move a threshold" in preview.effect.text() and not preview.named.isVisibleTo(preview)
    path.write_text("[defaults]\nblured_um = 1\n", encoding="utf-8")
    review.load(path)
    qtbot.waitUntil(lambda: any("blurred_um" in message.text for message in window.messages.messages()), timeout=5000)


def test_agreement_of_two_readers_is_shown(window, open_list, listed, qtbot) -> None:
    with Worklist(listed) as worklist:
        for who, verdicts in (("Ben", "PPR"), ("Cara", "PRR")):
            for fingerprint, letter in zip((FAKE, OTHER, STACK), verdicts, strict=True):
                verdict = Verdict.PASS if letter == "P" else Verdict.RESCAN
                worklist.give_verdict(fingerprint, verdict, who)
    open_list(window)
    # alike 2 of 3; by chance (2*1 + 1*2) / 9 = 4/9: (2/3 - 4/9) / (5/9) = 0.4
    assert "Ben and Cara: κ = 0.40, 2 of 3 slides alike" in window.worklist_panel.agreement.text()


def test_a_worklist_that_is_none_is_refused_and_left_alone(window, tmp_path, qtbot, open_list, listed) -> None:
    import sqlite3

    wrong = tmp_path / "elsewhere" / FILE_NAME
    wrong.parent.mkdir()
    with sqlite3.connect(wrong) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    content = wrong.read_bytes()
    open_list(window)
    window.open_paths([wrong])
    qtbot.waitUntil(lambda: len(window.messages.messages()) == 1, timeout=5000)
    quiet(qtbot, window)
    assert "database of something else" in window.messages.messages()[0].text
    assert wrong.read_bytes() == content
    assert window.review.store.snapshot.path == listed  # the one that was open stays


def test_a_verdict_that_cannot_be_written_is_told(window, open_list, monkeypatch, qtbot) -> None:
    from focusviewer.errors import UserError

    def full(self, *args, **kwargs):
        raise UserError("Cannot write to the worklist", "the disk is full", "Free some space.")

    open_list(window)
    monkeypatch.setattr(Worklist, "give_verdict", full)
    press(qtbot, window, X)
    text = window.messages.messages()[0].text
    assert "The verdict on fake.svs was not kept" in text
    assert "disk is full" in text
    assert not window.verdict_panel.buttons[Verdict.RESCAN].isChecked()


def test_the_reader_is_asked_once(window, listed, qtbot) -> None:
    from PySide6.QtWidgets import QInputDialog

    window.review.store.timer.setInterval(60_000)
    window.open_paths([listed])
    qtbot.waitUntil(lambda: bool(window.findChildren(QInputDialog)), timeout=5000)
    dialog = window.findChildren(QInputDialog)[0]
    assert dialog.textValue() == window.review.reader.name  # the account's name to begin with
    dialog.setTextValue("  Dr. Müller ")
    dialog.accept()
    assert window.settings.reader == window.review.reader.name == "Dr. Müller"
    quiet(qtbot, window)
    window.review.close()
    quiet(qtbot, window)
    assert not window.tools.verdict_section.isVisible()
    window.open_paths([listed])
    qtbot.waitUntil(lambda: window.review.store.is_open, timeout=5000)
    qtbot.wait(30)
    assert not [dialog for dialog in window.findChildren(QInputDialog) if dialog.isVisible()]


def test_after_a_verdict_the_next_slide_opens_if_wished(window, open_list, qtbot) -> None:
    open_list(window)
    window.verdict_panel.advance.setChecked(True)
    press(qtbot, window, X)
    qtbot.waitUntil(lambda: window.document is not None and window.document.name == "stack.tif", timeout=5000)
    assert window.review.current == STACK
    assert window.settings.next_after_verdict


def test_the_worklist_is_read_away_from_the_qt_thread(window, open_list, monkeypatch, qtbot) -> None:
    import threading

    seen = []
    for name in ("slides", "slide", "history", "readers", "give_verdict", "undo", "changes_since", "revision"):
        usual = getattr(Worklist, name)

        def watched(self, *args, usual=usual, **kwargs):
            seen.append(threading.current_thread())
            return usual(self, *args, **kwargs)

        monkeypatch.setattr(Worklist, name, watched)
    open_list(window)
    press(qtbot, window, X)
    press(qtbot, window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.review.store.poll()
    quiet(qtbot, window)
    assert len(seen) > 8
    assert {thread.name for thread in seen} == {"focusviewer-worklist_0"}


def test_worklist_commands_are_on_the_shortcut_sheet_and_off_without_a_list(window, open_list) -> None:
    assert not window.actions_by_id["worklist.pass"].isEnabled()
    text = shortcut_sheet(window.commands, window).text.toPlainText()
    for words in ("Verdict: RESCAN", "Next blurred region", "Blinded reading", "Next slide to judge"):
        assert words in text
    open_list(window)
    assert window.actions_by_id["worklist.pass"].isEnabled()
    assert isinstance(window.review.store, WorklistController)
