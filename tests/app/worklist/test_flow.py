"""The worklist in the window: what is listed, shown and tried."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from focusviewer.app.menus import SHORTCUT_SHEET
from focusviewer.app.widgets.dialogs import shortcut_sheet
from focusviewer.app.worklist.lines import Column, Filter
from focusviewer.app.worklist.session import WorklistSession
from focusviewer.focus.base import LEVEL_UM
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Thresholds
from focusviewer.qc.worklist.store import FILE_NAME, Worklist
from tests.app.worklist.fakes import enter, listed_names, press, quiet

FAKE, OTHER, STACK = (f"fingerprint of {name}" for name in ("fake.svs", "other.svs", "stack.tif"))
P, V, X = Qt.Key.Key_P, Qt.Key.Key_V, Qt.Key.Key_X


def test_a_folder_with_a_worklist_opens_it_with_the_worst_slide_first(window, open_list, listed) -> None:
    open_list(window, path=listed.parent)
    assert listed_names(window)[0] == "fake.svs"
    assert listed_names(window)[-1] == "other.svs"
    assert window.docks.worklist.isVisible()
    assert window.worklist.section.isVisible()
    assert window.worklist.panel.failures_section.header.text() == "Could not be judged (1)"
    assert "truncated" in window.worklist.panel.failures.item(0).text()
    assert window.worklist.state.selected == FAKE
    assert "blurred" in window.worklist.verdicts.reasons.text()


def test_what_another_window_writes_appears_and_is_told(window, second, open_list, listed, qtbot) -> None:
    open_list(window, "Anna")
    open_list(second, "Ben")
    second.worklist.state.select(FAKE)
    second.worklist.verdict_controller.give(Verdict.PASS)
    quiet(qtbot, second)
    window.worklist.session.timer.setInterval(20)
    qtbot.waitUntil(lambda: window.worklist.state.line.person is not None, timeout=5000)
    window.worklist.session.timer.setInterval(60_000)
    assert window.worklist.state.line.person.who == "Ben"
    assert window.worklist.panel.table.lines.lines[0].text(Column.PERSON) == "PASS"
    assert any("Ben has just judged fake.svs: PASS" in message.text for message in window.messages.messages())


def test_a_slide_that_a_batch_adds_appears(window, open_list, listed, slides, qtbot) -> None:
    open_list(window)
    with Worklist(listed) as worklist:
        enter(worklist, slides["unscaled.png"], 12.0)
    window.worklist.session.poll()
    quiet(qtbot, window)
    assert "unscaled.png" in listed_names(window)


def test_filters_and_order_change_what_is_listed(window, open_list, qtbot) -> None:
    open_list(window)
    panel = window.worklist.panel
    panel.search.setText("OTHER")
    assert listed_names(window) == ["other.svs"]
    assert "1 listed" in panel.figures.text()
    panel.search.setText("no such")
    assert listed_names(window) == []
    assert panel.nothing.isVisible()
    panel.search.clear()
    panel.filter.setCurrentIndex(panel.filter.findData(Filter.RESCAN))
    assert listed_names(window) == ["fake.svs"]
    panel.filter.setCurrentIndex(panel.filter.findData(Filter.ALL))
    panel.table.horizontalHeader().setSortIndicator(0, Qt.SortOrder.AscendingOrder)
    assert listed_names(window) == ["fake.svs", "other.svs", "stack.tif"]
    panel.table.horizontalHeader().setSortIndicator(3, Qt.SortOrder.AscendingOrder)
    assert listed_names(window)[0] == "other.svs"
    window.worklist.state.select(FAKE)
    press(qtbot, window, X)
    panel.filter.setCurrentIndex(panel.filter.findData(Filter.MINE))
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
    assert window.mapping.panel.threshold.value() == pytest.approx(Thresholds().blurred_um / LEVEL_UM)  # as judged
    assert not window.worklist.verdicts.elsewhere.isVisible()
    press(qtbot, window, Qt.Key.Key_J)
    qtbot.waitUntil(lambda: window.document is not None and window.document.name == "stack.tif", timeout=5000)
    quiet(qtbot, window)
    assert slides["fake.svs"].closed
    assert window.worklist.state.selected == STACK
    assert made == []  # nothing was computed


def test_a_map_of_another_file_is_not_shown(window, open_list, listed, slides, qtbot) -> None:
    with Worklist(listed) as worklist:
        folder = worklist.folder / worklist.slide(FAKE).result.folder
    text = (folder / "summary.json").read_text(encoding="utf-8")
    (folder / "summary.json").write_text(text.replace(FAKE, "another"), encoding="utf-8")
    open_list(window)
    window.worklist.navigator.open_slide(FAKE)
    qtbot.waitUntil(lambda: any("is not shown" in m.text for m in window.messages.messages()), timeout=5000)
    assert window.heatmap.shown is None


def test_the_region_keys_go_from_the_worst_to_the_least_and_around(window, open_list, qtbot) -> None:
    open_list(window)
    press(qtbot, window, Qt.Key.Key_W)  # opens it
    qtbot.waitUntil(lambda: window.document is not None, timeout=5000)
    quiet(qtbot, window)
    regions = window.worklist.state.line.regions
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
    assert window.worklist.verdicts.regions.currentRow() == 1


def test_a_moved_threshold_shows_its_effect_and_writes_nothing(window, open_list, listed, qtbot) -> None:
    open_list(window)
    with Worklist(listed) as worklist:
        before = worklist.revision()
    preview = window.worklist.panel.thresholds
    preview.value.setValue(0.2)  # of blurred_um: all of the good slide lies 0.25 um from focus
    qtbot.waitUntil(lambda: "would change" in preview.effect.text(), timeout=5000)
    quiet(qtbot, window)
    assert "1 × PASS → RESCAN" in preview.effect.text()
    lines = {line.fingerprint: line for line in window.worklist.panel.table.lines.lines}
    assert lines[OTHER].program is Verdict.PASS
    assert lines[OTHER].would_be is Verdict.RESCAN
    assert lines[FAKE].would_be is None  # is RESCAN already
    window.worklist.panel.filter.setCurrentIndex(window.worklist.panel.filter.findData(Filter.MOVED))
    assert "other.svs" in listed_names(window)
    assert "fake.svs" not in listed_names(window)
    preview.reset.click()
    assert listed_names(window) == []
    with Worklist(listed) as worklist:
        assert worklist.revision() == before


def test_a_file_of_rules_is_tried_on_the_list(window, open_list, listed, qtbot, tmp_path) -> None:
    open_list(window)
    review = window.worklist.thresholds
    preview = window.worklist.panel.thresholds
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
    assert "database of another program" in window.messages.messages()[0].text
    assert wrong.read_bytes() == content
    assert window.worklist.state.snapshot.path == listed  # the one that was open stays


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
    window.worklist.session.poll()
    quiet(qtbot, window)
    assert len(seen) > 8
    assert {thread.name for thread in seen} == {"focusviewer-worklist_0"}


def test_worklist_commands_are_on_the_shortcut_sheet_and_off_without_a_list(window, open_list) -> None:
    assert not window.menus.actions["worklist.pass"].isEnabled()
    text = shortcut_sheet(window.commands, SHORTCUT_SHEET, window).text.toPlainText()
    for words in ("Verdict: RESCAN", "Next blurred region", "Blinded reading", "Next slide to judge"):
        assert words in text
    open_list(window)
    assert window.menus.actions["worklist.pass"].isEnabled()
    assert isinstance(window.worklist.session, WorklistSession)


def test_the_curve_is_plotted_when_it_is_seen_and_only_while_there_is_one(window, open_list, listed, qtbot) -> None:
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.RESCAN, "Ben")
    open_list(window)
    panel = window.worklist.panel
    roc = panel.thresholds.roc
    panel.thresholds_section.header.setChecked(True)
    assert not roc.isVisible()
    window.worklist.state.select(OTHER)
    press(qtbot, window, P)
    assert roc.isVisible() and roc.plot is not None
    assert "2 slides, 1 to rescan" in roc.text.text()
    curve = roc.plot.listDataItems()[1]
    assert curve.getData()[1].tolist() == [0.0, 1.0, 1.0]
    press(qtbot, window, X)  # all are to be scanned again now
    assert not roc.isVisible()


def test_a_blinded_reader_who_clicks_on_a_column_still_sees_the_order_by_name(window, open_list, qtbot) -> None:
    open_list(window)
    window.worklist.verdicts.blinded.setChecked(True)
    header = window.worklist.panel.table.horizontalHeader()
    score = list(Column).index(Column.SCORE)
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder, Qt.SortOrder.DescendingOrder):
        header.setSortIndicator(score, order)
        assert header.sortIndicatorSection() == list(Column).index(Column.SLIDE)
        assert listed_names(window) == ["fake.svs", "other.svs", "stack.tif"]
