"""Names, paths, properties and notes are shown as they are: nothing in them is drawn or loaded as HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6 import QtGui
from PySide6.QtCore import QAbstractListModel, QModelIndex, Qt, QUrl
from PySide6.QtGui import QAction, QTextDocument
from PySide6.QtWidgets import QAbstractItemView, QLabel, QMessageBox, QWidget

from focusviewer.app import __file__ as app_folder
from focusviewer.app.services.jobs import Lane
from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.slides.scale_dialog import ScaleDialog
from focusviewer.app.widgets import choosers
from focusviewer.app.widgets.dialogs import AboutDialog
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.store import Worklist
from tests.app.fakes import FakeSlide
from tests.app.worklist.fakes import enter, quiet

HOSTILE = "<img src='file:///tmp/secret.png'><b>bold</b> & <a href=x>"
NAME = "<img src='secret.png'><b>bold<_b>.svs"
ROLES = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.StatusTipRole, Qt.ItemDataRole.WhatsThisRole)


class Loader(QTextDocument):
    """Notes what a text would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def loadResource(self, kind: int, url: QUrl) -> object:  # noqa: N802 - Qt's name
        self.loaded.append(url.toString())
        return None


def drawn_as_html(text: str | None) -> bool:
    """Whether a text of ours would load a picture or turn its tags into letters of another kind."""
    if not text or "<" not in text:
        return False
    document = Loader()
    document.setHtml(text)
    document.size()
    return bool(document.loaded) or ("secret" in text and "<img" not in document.toPlainText())


def items(view: QAbstractItemView) -> list[QModelIndex]:
    """Every item of a view, with those below it."""
    model = view.model()
    if model is None:
        return []
    found, todo = [], [QModelIndex()]
    while todo:
        parent = todo.pop()
        for row in range(model.rowCount(parent)):
            for column in range(1 if isinstance(model, QAbstractListModel) else model.columnCount(parent)):
                found.append(model.index(row, column, parent))
            todo.append(model.index(row, 0, parent))
    return found


def offenders(root: QWidget) -> list[str]:
    """Whatever below a widget would show a text from outside as HTML."""
    found = []
    for widget in [root, *root.findChildren(QWidget)]:
        found += [f"tip of {widget}"] if drawn_as_html(widget.toolTip()) else []
        if isinstance(widget, QLabel) and widget.textFormat() != Qt.TextFormat.PlainText:
            found += [f"label {widget.text()!r}"] if "<" in widget.text() else []
        if isinstance(widget, QMessageBox):
            found += [f"box {widget.text()!r}"] if widget.textFormat() != Qt.TextFormat.PlainText else []
        if isinstance(widget, QAbstractItemView):
            for index in items(widget):
                found += [f"item of {widget}" for role in ROLES if drawn_as_html(index.data(role))]
    found += [f"action {action.text()}" for action in root.findChildren(QAction) if drawn_as_html(action.toolTip())]
    return found


@pytest.fixture
def hostile(window, open_in, listed, slides, qtbot):
    """A window that shows names, properties, notes and messages of an enemy."""
    slide = FakeSlide(NAME)
    slide.info = replace(
        slide.info,
        vendor=HOSTILE,
        format=HOSTILE,
        properties={HOSTILE: HOSTILE, "b": HOSTILE},
        mpp=None,
        stated_mpp=900.0,
    )
    slides[NAME] = slide
    with Worklist(listed) as worklist:
        result = enter(worklist, slide, 12.0)
        worklist.record(replace(result, facts=replace(result.facts, slide_id=HOSTILE, scanner=HOSTILE, stain=HOSTILE),
                                judgement=replace(result.judgement, reasons=(HOSTILE,), rules=HOSTILE)))  # fmt: skip
        worklist.give_verdict(slide.fingerprint, Verdict.PASS, HOSTILE, HOSTILE)
        worklist.record_failure(Path(f"/slides/{NAME}"), HOSTILE)
    open_in(window, "fake.svs", NAME)
    window.worklist.session.timer.setInterval(60_000)
    window.worklist.verdict_controller.set_reader(HOSTILE)
    window.open_paths([listed])
    qtbot.waitUntil(lambda: window.worklist.state.is_open, timeout=8000)
    quiet(qtbot, window)
    window.worklist.state.select(slide.fingerprint)
    quiet(qtbot, window)
    window.settings.recent = [f"/slides/{NAME}", f"/{HOSTILE}"]
    window.opening.list.show_recent(window.settings.recent)
    window._show_recent()
    window.messages.show_message(HOSTILE, "error")
    return window


def test_nothing_in_the_window_draws_what_files_say_as_html(hostile, qtbot) -> None:
    job = hostile.jobs.start("test", lambda job: job.cancel.wait(20), lane=Lane.EXPORT, title=HOSTILE)
    more = [
        hostile.jobs.start(f"test {n}", lambda job: job.cancel.wait(20), lane=Lane.EXPORT, title=HOSTILE)
        for n in range(4)
    ]
    try:
        qtbot.wait(400)
        assert offenders(hostile) == []
    finally:
        for one in (job, *more):
            hostile.jobs.cancel_job(one)


def test_nor_do_the_dialogs(hostile, qtbot) -> None:
    choosers.confirm_close(hostile, [HOSTILE], lambda: None)
    choosers.ask_reader(hostile, HOSTILE, lambda name: None)
    dialog = ScaleDialog(hostile.document, hostile)
    try:
        found = [widget for widget in hostile.findChildren(QWidget) if widget.isWindow()]
        assert any(isinstance(widget, QMessageBox) for widget in found)
        assert [what for widget in found for what in offenders(widget)] == []
    finally:
        dialog.deleteLater()
        for widget in hostile.findChildren(QMessageBox):
            widget.reject()


def test_the_walk_finds_what_it_looks_for(window) -> None:
    bad = QLabel(HOSTILE, window)
    bad.setToolTip(HOSTILE)
    window.opening.list.recent.addItem("x")
    window.opening.list.recent.item(window.opening.list.recent.count() - 1).setToolTip(HOSTILE)
    try:
        assert len(offenders(window)) == 3
    finally:
        bad.deleteLater()
        window.opening.list.recent.clear()


@pytest.mark.parametrize("text", [HOSTILE, "a & b", "one\ntwo", "x" * 300, "a < b", "&lt;b&gt;", "", "plain"])
def test_a_tip_shows_the_text_that_was_given(text: str) -> None:
    tip = tooltip(text)
    document = Loader()
    if QtGui.Qt.mightBeRichText(tip):
        document.setHtml(tip)
    else:
        document.setPlainText(tip)
    assert document.toPlainText() == text
    assert document.loaded == []
    assert PlainLabel(text).textFormat() == Qt.TextFormat.PlainText


def test_labels_are_made_in_one_place() -> None:
    folder = Path(app_folder).parent
    made = {path.name for path in folder.rglob("*.py") if re.search(r"\bQLabel\(", path.read_text(encoding="utf-8"))}
    assert made <= {"plain.py", "dialogs.py"}  # the dialog "About" is formatted, and says nothing of others


def test_what_is_about_the_program_may_be_formatted(window) -> None:
    dialog = AboutDialog(window)
    assert any(label.textFormat() == Qt.TextFormat.RichText for label in dialog.findChildren(QLabel))
    dialog.deleteLater()
