from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from focusviewer.app.menus import SHORTCUT_SHEET
from focusviewer.app.services.actions import ActionRecord, ActionRegistry
from focusviewer.app.viewer.layers.minimap import Minimap
from focusviewer.app.viewer.view import View
from focusviewer.app.widgets.dialogs import shortcut_sheet
from focusviewer.app.window import MainWindow
from focusviewer.slides import Region
from tests.app.fakes import picture


def wheel(window: MainWindow, at: QPoint, notches: float, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(window.viewport.mapToGlobal(at)),
        QPoint(),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(window.viewport, event)


def settle(window: MainWindow, qtbot) -> None:
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)


def test_opening_shows_the_slide_with_its_true_pixels(window, open_in, slides, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(1500, 1000, 1.0)
    settle(window, qtbot)
    shown = picture(window)
    height, width = shown.shape[:2]
    x, y = (round(value) for value in window.viewport.view.to_slide(0, 0))
    truth = slides["fake.svs"].pixels(Region(0, x, y, width, height))
    assert np.abs(shown.astype(int) - truth).max() <= 1
    assert window.windowTitle().startswith("fake.svs")


def test_the_whole_slide_is_shown_first(window, open_in) -> None:
    open_in(window, "fake.svs")
    view = window.viewport.view
    assert view.scale == pytest.approx(view.fit_scale)


def test_wheel_zooms_at_the_cursor(window, open_in) -> None:
    open_in(window, "fake.svs")
    at = QPoint(400, 300)
    before = window.viewport.view.to_slide(400, 300)
    scale = window.viewport.view.scale
    wheel(window, at, 2)
    view = window.viewport.view
    assert view.scale > scale
    after = view.to_slide(400, 300)
    assert np.hypot(after[0] - before[0], after[1] - before[1]) * view.scale <= 1.5


def test_dragging_moves_the_picture_by_as_much(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(1500, 1000, 1.0)
    x, y = window.viewport.view.cx, window.viewport.view.cy
    qtbot.mousePress(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(300, 500))
    qtbot.mouseMove(window.viewport, QPoint(340, 470))
    qtbot.mouseRelease(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(340, 470))
    assert (window.viewport.view.cx - x, window.viewport.view.cy - y) == (-40, 30)


def test_the_picture_stops_where_it_is_let_go(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(1500, 1000, 1.0)
    qtbot.mousePress(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(300, 500))
    for step in range(5):
        qtbot.mouseMove(window.viewport, QPoint(310 + 20 * step, 500))
    qtbot.mouseRelease(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(390, 500))
    x = window.viewport.view.cx
    qtbot.wait(60)
    assert window.viewport.view.cx == x


def test_it_glides_on_only_if_the_user_wants_so(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.menus.actions["view.inertia"].setChecked(True)
    window.viewport.go_to(1500, 1000, 1.0)
    qtbot.mousePress(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(300, 500))
    for step in range(5):
        qtbot.mouseMove(window.viewport, QPoint(310 + 20 * step, 500))
    qtbot.mouseRelease(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(390, 500))
    x = window.viewport.view.cx
    qtbot.waitUntil(lambda: window.viewport.view.cx < x - 5, timeout=2000)
    window.viewport.show_document(window.document)  # stops it


def test_keys_move_and_zoom(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.activateWindow()
    window.viewport.setFocus()
    port = window.viewport
    qtbot.keyClick(port, Qt.Key.Key_6)
    assert port.view.scale == 1.0  # 40x at 0.25 um
    x, y = port.view.cx, port.view.cy
    qtbot.keyClick(port, Qt.Key.Key_Right)
    qtbot.keyClick(port, Qt.Key.Key_Down)
    assert port.view.cx == pytest.approx(x + 0.15 * port.view.width)
    assert port.view.cy == pytest.approx(y + 0.15 * port.view.height)
    qtbot.keyClick(port, Qt.Key.Key_Minus)
    assert port.view.scale < 1.0
    qtbot.keyClick(port, Qt.Key.Key_Plus)
    assert port.view.scale == pytest.approx(1.0)
    qtbot.keyClick(port, Qt.Key.Key_0)
    assert port.view.scale == pytest.approx(port.view.fit_scale)


def test_double_click_zooms_in_at_the_cursor(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    scale = window.viewport.view.scale
    qtbot.mouseDClick(window.viewport, Qt.MouseButton.LeftButton, pos=QPoint(300, 300))
    assert window.viewport.view.scale == pytest.approx(2 * scale, rel=0.11)


def test_a_tile_that_comes_into_view_is_painted_at_once(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    port = window.viewport
    port.go_to(1024 - port.view.width / 2, 1024 - port.view.height / 2, 1.0)  # the view ends where a tile ends
    port.view.pan_by(port.view.to_slide(port.view.width, 0)[0] - 1024, 0)
    port.changed()
    assert port.view.to_slide(port.view.width, 0)[0] == 1024
    port.pan_pixels(-2, 0)
    assert max(key.col for key in port._keys) == 2


def test_a_click_on_the_minimap_goes_there(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(500, 500, 1.0)
    rect = window.viewport.minimap.rect(window.viewport.view, window.viewport.ratio)
    qtbot.mouseClick(window.viewport, Qt.MouseButton.LeftButton, pos=rect.center())
    assert window.viewport.view.cx == pytest.approx(1500, abs=20)
    assert window.viewport.view.cy == pytest.approx(1000, abs=20)


def test_the_minimap_of_a_narrow_slide_reaches_its_end() -> None:
    view = View(1000, 30000, 800, 600)
    minimap = Minimap()
    rect = minimap.rect(view, 1.0)
    point = QPointF(rect.x() + rect.width(), rect.y() + rect.height())
    assert minimap.slide_point(view, 1.0, point) == pytest.approx((1000, 30000))


def test_position_is_in_microns_and_in_pixels_without_a_scale(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.pointed.emit(400.0, 800.0)
    assert window.status.position.text() == "x 100.0  y 200.0 µm"
    open_in(window, "unscaled.png")
    window.viewport.pointed.emit(400.0, 800.0)
    assert window.status.position.text() == "x 400  y 800 px"


def test_coarser_tiles_stand_in_until_the_finer_ones_come(window, open_in, slides, qtbot) -> None:
    open_in(window, "fake.svs")
    slides["fake.svs"].delay = 0.3
    window.viewport.go_to(1500, 1000, 1.0)
    shown = picture(window)
    assert not window.viewport.is_complete
    x, y = (round(value) for value in window.viewport.view.to_slide(0, 0))
    truth = slides["fake.svs"].pixels(Region(0, x, y, shown.shape[1], shown.shape[0]))
    assert np.abs(shown.astype(int) - truth).max() <= 8  # blurred, but of the right place: no holes


def test_planes_change_by_keys_wheel_and_slider(window, open_in, qtbot) -> None:
    open_in(window, "stack.tif")
    assert window.document.view.plane == 2
    window.activateWindow()
    window.viewport.setFocus()
    qtbot.keyClick(window.viewport, Qt.Key.Key_BracketRight)
    assert window.document.view.plane == 3
    wheel(window, QPoint(300, 300), -1, Qt.KeyboardModifier.ControlModifier)
    wheel(window, QPoint(300, 300), -1, Qt.KeyboardModifier.ControlModifier)
    assert window.document.view.plane == 1
    window.viewer.plane_panel.slider.setValue(4)
    assert window.document.view.plane == 4
    qtbot.keyClick(window.viewport, Qt.Key.Key_BracketRight)
    assert window.document.view.plane == 4
    settle(window, qtbot)
    middle = picture(window)[400, 400]
    assert abs(int(middle[2]) - (60 + 20 * 4)) <= 1
    assert "z = +2.00 µm" in window.document.plane_text


def test_a_touchpad_turns_one_plane_per_notch_not_per_event(window, open_in) -> None:
    open_in(window, "stack.tif")
    for _ in range(4):
        wheel(window, QPoint(400, 300), 0.25, Qt.KeyboardModifier.ControlModifier)
    assert window.document.view.plane == 3


def test_the_suffix_of_a_saved_picture_follows_the_chosen_type(window, open_in, tmp_path, qtbot) -> None:
    open_in(window, "fake.svs")
    window.settings.last_folder = str(tmp_path)
    window.saving.ask_snapshot()
    dialog = window.findChild(QFileDialog)
    dialog.filterSelected.emit(dialog.nameFilters()[1])
    assert Path(dialog.selectedFiles()[0]).name == "fake-view.tif"
    gone: list[bool] = []
    dialog.destroyed.connect(lambda: gone.append(True))
    dialog.reject()
    qtbot.waitUntil(lambda: bool(gone))  # its thread, which lists the folder, must not outlive the window


def test_every_command_is_registered_with_its_own_keys_and_appears_on_the_sheet(window) -> None:
    keys = [key for record in window.commands for key in record.shortcuts]
    assert len(keys) == len(set(keys))
    assert {"file.open", "view.fit", "focus.heatmap", "focus.refocus", "help.shortcuts"} <= set(window.menus.actions)
    assert len(window.menus.actions) == len(window.commands)
    sheet = shortcut_sheet(window.commands, SHORTCUT_SHEET, window)
    text = sheet.text.toPlainText()
    assert all(record.text.replace("&", "").rstrip("…") in text for record in window.commands if record.shortcuts)
    sheet.deleteLater()


def test_a_shortcut_or_id_taken_twice_is_refused() -> None:
    registry = ActionRegistry()
    registry.add(ActionRecord("a.b", "B", print, shortcuts=("B",)))
    with pytest.raises(ValueError, match="belongs to"):
        registry.add(ActionRecord("a.c", "C", print, shortcuts=("B",)))
    with pytest.raises(ValueError, match="already"):
        registry.add(ActionRecord("a.b", "B", print))


def test_every_icon_that_is_asked_for_exists(window) -> None:
    for record in window.commands:
        if record.icon:
            assert not window.menus.actions[record.key].icon().isNull()


def test_a_snapshot_is_saved_with_what_it_shows(window, open_in, tmp_path, qtbot) -> None:
    from PIL import Image

    open_in(window, "fake.svs")
    path = tmp_path / "mit Leerzeichen ä.png"
    size = window.viewport.width(), window.viewport.height()
    window.saving.controller.snapshot(path)
    qtbot.waitUntil(path.exists, timeout=3000)
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    with Image.open(path) as saved:
        assert json.loads(saved.text["FocusViewer"])["source"] == "fake.svs"
        assert saved.size == size


def test_a_snapshot_that_cannot_be_written_is_told(window, open_in, tmp_path, qtbot) -> None:
    open_in(window, "fake.svs")
    window.saving.controller.snapshot(tmp_path / "no such folder" / "a.png")
    qtbot.waitUntil(lambda: bool(window.messages.messages()), timeout=3000)
    assert "Cannot write" in window.messages.messages()[0].text


def test_dark_and_light_paint_differently_and_readably(window, open_in) -> None:
    open_in(window, "fake.svs")
    seen = []
    for name in ("light", "dark"):
        window.viewer.state.theme = name
        image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        seen.append(image.pixelColor(window.width() - 20, 20).lightness())
    window.viewer.state.theme = "light"
    assert seen[0] > 200
    assert seen[1] < 80


def test_closing_while_work_is_going_on_leaves_nothing_behind(window, slides, qtbot) -> None:
    slides["fake.svs"].delay = 0.2
    window.open_paths([Path("/slides/fake.svs")])
    qtbot.waitUntil(lambda: window.document is not None, timeout=3000)
    window.heatmap.maker = lambda document, name, plane, progress, job: job.cancel.wait(20)
    window.mapping.run()
    window.viewport.go_to(1500, 1000, 1.0)
    window.close()
    assert slides["fake.svs"].closed
    assert not window.jobs.running()  # no_leaks looks for the threads


def test_the_panels_fit_their_dock(window, open_in, qtbot) -> None:
    window.load_registries()
    open_in(window, "stack.tif")
    window.mapping.run()
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)
    content = window.tools.widget()
    assert content.minimumSizeHint().width() <= window.tools.viewport().width()


def test_a_file_of_computed_pixels_is_never_taken_for_a_scan(window, open_in, slides) -> None:
    made = slides["fake.svs"]
    facts = {"ome.Description": 'synthesised; not for diagnosis {"engine": "fast", "synthesised": true}'}
    made.info = replace(made.info, properties={**made.info.properties, **facts})
    open_in(window, "fake.svs")
    said = [message.text for message in window.messages.messages()]
    assert "fake.svs: computed by the engine fast, not scanned; not for diagnosis." in said
    window.slides.close(window.slides.current)
    assert not any("computed by" in message.text for message in window.messages.messages())
