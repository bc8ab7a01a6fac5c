from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QInputDialog, QLabel, QPushButton

from focusviewer.app.slides.controller import MAX_FROM_FOLDER
from focusviewer.app.slides.scale_dialog import ScaleAnswer, ScaleDialog
from focusviewer.app.slides.slide_panel import facts_of
from focusviewer.slides import TileKey, open_slide
from tests.app.fakes import FakeSlide
from tests.slides.dicom_files import write_slide


def test_a_bad_file_keeps_the_open_slide_and_is_told_in_the_window(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.open_paths([Path("/slides/broken.svs")])
    qtbot.waitUntil(lambda: bool(window.messages.messages()), timeout=3000)
    assert "Cannot open broken.svs" in window.messages.messages()[0].text
    assert window.document.name == "fake.svs"
    assert [d.name for d in window.slides.documents] == ["fake.svs"]
    assert not window.jobs.running()
    window.messages.messages()[0].dismiss()
    assert window.messages.messages() == []


def test_a_damaged_part_is_told_once_and_the_rest_is_shown(window, open_in, slides, qtbot) -> None:
    slides["fake.svs"].bad = lambda region: region.level == 0 and region.x < 600
    open_in(window, "fake.svs")
    window.viewport.go_to(700, 700, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    assert len(window.messages.messages()) == 1
    assert "cannot be read" in window.messages.messages()[0].text


def test_a_damaged_part_is_told_of_the_slide_it_belongs_to(window, open_in) -> None:
    open_in(window, "fake.svs", "other.svs")
    first = window.slides.documents[0]
    window.tiles.failed.emit(TileKey(first.pyramid.fingerprint, 0, 0, 0, 0), "it is damaged")
    assert "fake.svs" in window.messages.messages()[0].text


def test_recent_slides_are_found_from_any_folder(window, open_in, slides, monkeypatch, tmp_path, qtbot) -> None:
    monkeypatch.chdir(tmp_path)
    window.open_paths([Path("fake.svs")])
    qtbot.waitUntil(lambda: window.document is not None, timeout=3000)
    assert Path(window.settings.recent[0]).is_absolute()
    assert Path(window.settings.last_folder).is_absolute()


def test_a_copy_of_an_open_slide_is_told(window, open_in, slides, qtbot) -> None:
    open_in(window, "fake.svs")
    slides["copy.svs"] = FakeSlide("copy.svs")
    slides["copy.svs"].info = replace(slides["copy.svs"].info, fingerprint=slides["fake.svs"].fingerprint)
    window.open_paths([Path("/slides/copy.svs")])
    qtbot.waitUntil(lambda: slides["copy.svs"].closed, timeout=3000)
    assert "copy.svs has the same content as fake.svs" in window.messages.messages()[0].text
    assert not slides["fake.svs"].closed
    assert window.document.name == "fake.svs"


def test_a_folder_of_very_many_slides_says_which_are_opened(window, open_in, slides, tmp_path, qtbot) -> None:
    for index in range(MAX_FROM_FOLDER + 2):
        (tmp_path / f"{index:03}.svs").touch()
    window.open_paths([tmp_path])
    told: list[str] = []
    show = window.messages.show_message
    window.messages.show_message = lambda text, *rest: (told.append(text), show(text, *rest))[1]
    qtbot.waitUntil(lambda: any(f"holds {MAX_FROM_FOLDER + 2} slides" in text for text in told), timeout=5000)
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)


def test_the_arrow_keys_walk_through_the_open_slides(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs", "other.svs", "stack.tif")
    window.opening.list.open_slides.setFocus()
    items = [window.opening.list.open_slides.item(row) for row in range(3)]
    qtbot.keyClick(window.opening.list.open_slides, Qt.Key.Key_Up)
    assert window.document.name == "other.svs"
    qtbot.keyClick(window.opening.list.open_slides, Qt.Key.Key_Up)
    assert window.document.name == "fake.svs"
    assert [window.opening.list.open_slides.item(row) for row in range(3)] == items


def test_dropped_files_open(window, qtbot) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/slides/fake.svs"), QUrl.fromLocalFile("/slides/other.svs")])
    event = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)
    qtbot.waitUntil(lambda: len(window.slides.documents) == 2, timeout=3000)
    assert {d.name for d in window.slides.documents} == {"fake.svs", "other.svs"}


def test_switching_slides_returns_to_where_one_was(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(700, 600, 1.0)
    first = window.document
    open_in(window, "other.svs")
    window.slides.show(first)
    assert (window.viewport.view.cx, window.viewport.view.cy, window.viewport.view.scale) == (700, 600, 1.0)


def test_opening_an_open_slide_again_only_shows_it(window, open_in, slides) -> None:
    open_in(window, "fake.svs", "other.svs", "fake.svs")
    assert len(window.slides.documents) == 2
    assert window.document.name == "fake.svs"


def test_closing_a_slide_shows_the_one_beside_it_and_releases_the_file(window, open_in, slides, qtbot) -> None:
    open_in(window, "fake.svs", "other.svs")
    window.close_current()
    assert window.document.name == "fake.svs"
    qtbot.waitUntil(lambda: slides["other.svs"].closed, timeout=3000)
    window.close_current()
    assert window.document is None
    assert window.windowTitle() == "FocusViewer"
    assert not window.viewport.grab().isNull()


def test_a_slide_without_scale_is_not_spoken_of_while_another_is_shown(window, open_in) -> None:
    def told() -> list[str]:
        return [message.text for message in window.messages.messages() if "unscaled.png" in message.text]

    open_in(window, "unscaled.png")
    unscaled = window.document
    assert len(told()) == 1
    open_in(window, "fake.svs")
    assert told() == []
    window.slides.show(unscaled)
    assert len(told()) == 1
    window.messages.messages()[0].dismiss()  # the user has read it
    window.slides.show(window.slides.documents[1])
    window.slides.show(unscaled)
    assert told() == []


def test_an_unknown_scale_is_asked_for_once_and_used_when_given(window, open_in, qtbot) -> None:
    open_in(window, "unscaled.png")
    assert len(window.messages.messages()) == 1
    assert "1000" in window.messages.messages()[0].text
    assert window.refocusing.panel.set_scale.isVisibleTo(window.refocusing.panel)
    window.slides.set_scale(window.document, ScaleAnswer(0.5))
    assert window.document.mpp == 0.5
    assert not window.refocusing.panel.set_scale.isVisibleTo(window.refocusing.panel)
    window.messages.clear()
    document = window.document
    open_in(window, "fake.svs")
    window.slides.show(document)
    assert window.messages.messages() == []


def test_the_question_for_a_scale_is_about_its_own_slide_and_goes_when_answered(window, open_in, slides) -> None:
    slides["unscaled-2.png"] = FakeSlide("unscaled-2.png", mpp=None)
    open_in(window, "unscaled.png", "unscaled-2.png")
    first, second = window.slides.documents
    assert [second.name in message.text for message in window.messages.messages()] == [True]
    window.slides.show(first)
    window.messages.messages()[0].findChild(QPushButton).click()
    dialog = window.findChild(ScaleDialog)
    assert any("unscaled.png" in label.text() for label in dialog.findChildren(QLabel))
    dialog.accept()
    assert first.mpp is not None
    assert second.mpp is None
    assert window.messages.messages() == []
    window.slides.show(second)
    assert [second.name in message.text for message in window.messages.messages()] == [True]
    window.slides.close(second)
    assert window.messages.messages() == []


def test_the_label_stays_when_the_scale_is_set(window, open_in, qtbot) -> None:
    open_in(window, "unscaled.png")
    window.slides.set_scale(window.document, ScaleAnswer(0.5))
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    assert window.opening.panel._pictures.isVisibleTo(window.opening.panel)


def test_planes_that_a_file_knows_stay_where_they_are_unless_told_otherwise(window, open_in, slides) -> None:
    slides["uneven.tif"] = FakeSlide("uneven.tif", planes_um=(-2.0, -0.5, 0.0, 1.0))
    open_in(window, "uneven.tif")
    dialog = ScaleDialog(window.document)
    assert dialog.answer().z_step_um is None
    window.slides.set_scale(window.document, dialog.answer())
    assert window.document.planes_um == (-2.0, -0.5, 0.0, 1.0)
    dialog.z_step.setValue(0.5)
    window.slides.set_scale(window.document, dialog.answer())
    assert window.document.planes_um == (-1.0, -0.5, 0.0, 0.5)
    dialog.deleteLater()


def test_the_scale_dialog_takes_a_magnification_or_a_pixel_size(window, open_in) -> None:
    open_in(window, "unscaled.png")
    dialog = ScaleDialog(window.document, window)
    dialog.by_power.setChecked(True)
    dialog.power.setValue(20)
    assert dialog.answer() == ScaleAnswer(0.5)
    dialog.by_mpp.setChecked(True)
    dialog.mpp.setValue(0.23)
    assert dialog.answer() == ScaleAnswer(0.23)
    dialog.deleteLater()


def test_label_and_properties_are_shown(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    assert window.opening.panel.properties.topLevelItemCount() == 1
    assert window.opening.panel._pictures.isVisibleTo(window.opening.panel)


def test_what_the_scanner_wrote_about_its_focus_is_shown(window, open_in, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("focusviewer.slides.identity.focus_records", lambda slide: {"focus_points": (10, -20, 30)})
    open_in(window, "unscaled.png")
    window.slides.set_scale(window.document, ScaleAnswer(0.5))  # shows everything again
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    shown = [label.text() for label in window.opening.panel.findChildren(QLabel) if label.text() == "10, -20, 30"]
    assert shown == ["10, -20, 30"]
    window.opening.panel.show_records([])
    rows = window.opening.panel._facts
    assert all(
        rows.itemAt(row, rows.ItemRole.LabelRole).widget().text() != "Focus points" for row in range(rows.rowCount())
    )


def test_the_records_of_a_scanner_are_read_once_for_each_slide(window, open_in, monkeypatch, qtbot) -> None:
    read: list[str] = []

    def records(slide: FakeSlide) -> dict[str, str]:
        read.append(slide.name)
        return {"focus_points": f"of {slide.name}"}

    monkeypatch.setattr("focusviewer.slides.identity.focus_records", records)
    open_in(window, "fake.svs", "other.svs")
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    first = window.slides.documents[0]
    for document in (first, window.slides.documents[1], first):
        window.slides.show(document)
        qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    assert sorted(read) == ["fake.svs", "other.svs"]
    texts = [label.text() for label in window.opening.panel.findChildren(QLabel)]
    assert "of fake.svs" in texts and "of other.svs" not in texts


def test_the_files_of_one_dicom_slide_open_once_and_nothing_is_said(window, qtbot, tmp_path) -> None:
    picture = np.arange(128 * 192 * 3).reshape(128, 192, 3).astype(np.uint8)
    paths = write_slide(tmp_path / "d", picture)
    window.slides.opener = open_slide
    window.open_paths([*paths, tmp_path / "d"])
    qtbot.waitUntil(lambda: bool(window.slides.documents) and not window.jobs.running(), timeout=10000)
    assert [document.slide.dimensions for document in window.slides.documents] == [(192, 128)]
    assert window.messages.messages() == []


def test_a_folder_of_slides_in_several_files_opens_each_once(window, qtbot, tmp_path) -> None:
    for series, name in enumerate("ab", 1):
        picture = np.full((128, 192, 3), 50 * series, np.uint8)
        write_slide(tmp_path, picture, f"{name}0", f"{name}1", f"{name}2", series=series)
    window.slides.opener = open_slide
    window.open_paths([tmp_path])
    qtbot.waitUntil(lambda: len(window.slides.documents) == 2 and not window.jobs.running(), timeout=10000)
    assert sorted(document.name for document in window.slides.documents) == ["a0", "b0"]


def test_an_order_in_doubt_is_asked_for_and_the_answer_remembered(window, qtbot, tmp_path) -> None:
    names = ["a1_b3.png", "a2_b2.png", "a3_b1.png"]
    for gray, name in enumerate(names):
        Image.new("RGB", (64, 64), (gray, gray, gray)).save(tmp_path / name)
    window.slides.opener = open_slide
    window.open_paths([tmp_path])
    qtbot.waitUntil(lambda: window.findChild(QInputDialog) is not None, timeout=5000)
    dialog = window.findChild(QInputDialog)
    (second,) = [text for text in dialog.comboBoxItems() if "second" in text]
    assert "a3_b1.png, a2_b2.png, a1_b3.png" in second
    dialog.setTextValue(second)
    dialog.accept()
    qtbot.waitUntil(lambda: window.document is not None and not window.jobs.running(), timeout=5000)
    assert window.document.slide.info.properties["planes.files"] == ", ".join(reversed(names))


def test_missing_planes_are_told_in_the_window(window, open_in, slides) -> None:
    info = slides["stack.tif"].info
    note = "2 of 7 planes are missing: its description announces them, the file does not hold them"
    slides["stack.tif"].info = replace(info, missing_planes=2, missing_um=(3.0, 4.0), remarks=(note,))
    open_in(window, "stack.tif")
    assert any("2 of 7 planes are missing" in message.text for message in window.messages.messages())
    assert ("Missing", "2 planes: z = 3, 4 µm") in facts_of(window.document)
