from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from focusviewer.app.services.pixels import from_qimage
from tests.app.fakes import FakeEngine, picture


@pytest.fixture
def compare(window):
    return window.compare


@pytest.fixture
def refocused(window, open_in, qtbot):
    """The close-up of a slide, brightened by an engine that is none; gives the scan's pixels."""
    engine = FakeEngine()
    window.refocus.engine_maker = lambda name: engine
    open_in(window, "fake.svs")
    window.viewport.go_to(600, 450, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
        window.refocusing.toggle()
    scan = picture(window)
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.panel.spin.setValue(2.0)
    return scan


def centre(window, scan) -> tuple[int, int]:
    """By how much the picture is brighter than the scan, left and right of the middle."""
    shown = picture(window).astype(int)
    rows = min(len(shown), len(scan))
    off = (len(scan) - rows) // 2  # the bar above takes some rows
    change = shown[:rows] - scan[off : off + rows]
    half = shown.shape[1] // 2
    return round(float(np.median(change[..., 2][:, : half - 40]))), round(
        float(np.median(change[..., 2][:, half + 40 :]))
    )


def test_wiping_shows_the_scan_on_the_left_and_moves_by_mouse_and_keys(window, compare, refocused, qtbot) -> None:
    window.menus.actions["compare.wipe"].trigger()
    assert centre(window, refocused) == (0, 20)
    handle = compare.handle
    assert handle.isVisible()
    assert abs(handle.geometry().center().x() - window.viewport.width() // 2) <= 1
    qtbot.mousePress(handle, Qt.MouseButton.LeftButton, pos=QPoint(15, 100))
    qtbot.mouseMove(handle, QPoint(15 - 200, 100))
    qtbot.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=QPoint(15, 100))
    assert compare.state.wipe == pytest.approx(0.5 - 200 / window.viewport.width(), abs=0.01)
    part = compare.state.wipe
    window.menus.actions["compare.line_right"].trigger()
    assert compare.state.wipe > part
    handle.setFocus()
    qtbot.keyClick(handle, Qt.Key.Key_Left)
    assert compare.state.wipe == pytest.approx(part)
    compare.state.move_wipe(7.0)
    assert compare.state.wipe == 1.0
    assert centre(window, refocused) == (0, 0)
    window.menus.actions["compare.off"].trigger()
    assert not handle.isVisible()
    assert centre(window, refocused) == (20, 20)


def test_split_shows_scan_and_refocused_picture_that_move_together(window, compare, refocused, qtbot) -> None:
    window.menus.actions["compare.split"].trigger()
    first, second = window.viewport, compare.second
    qtbot.waitUntil(lambda: second.isVisible() and second.is_complete and first.is_complete, timeout=5000)
    assert first.patch.hidden
    assert second.patch.is_shown
    assert second.patch.image is first.patch.image
    first.pan_pixels(-60, 30)
    assert (second.view.cx, second.view.cy) == (first.view.cx, first.view.cy)
    second.zoom_by(3)
    assert first.view.scale == second.view.scale
    window.menus.actions["compare.link"].trigger()
    before = first.view.cx
    second.pan_pixels(-100, 0)
    assert first.view.cx == before
    window.menus.actions["compare.link"].trigger()  # from now on they keep this distance
    apart = second.view.cx - first.view.cx
    first.pan_pixels(-50, 0)
    assert second.view.cx - first.view.cx == pytest.approx(apart)
    window.menus.actions["compare.split"].trigger()
    assert not second.isVisible()
    assert not first.patch.hidden


def test_split_shows_another_plane_and_another_slide(window, open_in, compare, slides, qtbot) -> None:
    open_in(window, "other.svs", "stack.tif")
    compare.state.mode = "split"
    window.menus.actions["compare.next"].trigger()
    assert compare.state.content == "plane 0"
    second = compare.second
    qtbot.waitUntil(lambda: second.is_complete and window.viewport.is_complete, timeout=5000)
    planes = [int(from_qimage(viewport.grab().toImage())[300, 200, 2]) for viewport in (window.viewport, second)]
    assert planes == [pytest.approx(100, abs=1), pytest.approx(60, abs=1)]
    assert window.document.view.plane == 2
    second.plane_turned.emit(1)
    assert (compare.state.content, second.document.view.plane) == ("plane 1", 1)
    compare.state.content = f"slide {slides['other.svs'].fingerprint}"
    assert second.document.slide is slides["other.svs"]
    other = next(document for document in window.slides.documents if document.slide is slides["other.svs"])
    window.slides.close(other)
    assert second.document.slide is slides["stack.tif"]
    assert compare.state.content == "refocused"
    window.close_current()
    assert second.document is None
    assert not second.isVisible()


def test_flicker_shows_both_in_turn_and_the_held_key_the_scan(window, compare, refocused, qtbot) -> None:
    compare.bar.rate.setValue(3.0)
    window.menus.actions["compare.flicker"].trigger()
    seen: set[int] = set()

    def both() -> bool:
        seen.add(centre(window, refocused)[0])
        return seen == {0, 20}

    qtbot.waitUntil(both, timeout=5000)
    window.menus.actions["compare.flicker"].trigger()
    assert centre(window, refocused) == (20, 20)
    window.activateWindow()
    window.viewport.setFocus()
    qtbot.keyPress(window.viewport, Qt.Key.Key_Space)
    assert centre(window, refocused) == (0, 0)
    qtbot.keyRelease(window.viewport, Qt.Key.Key_Space)
    assert centre(window, refocused) == (20, 20)


def test_the_bar_says_when_there_is_nothing_to_compare(window, open_in, compare, qtbot) -> None:
    open_in(window, "fake.svs")
    window.activateWindow()
    window.viewport.setFocus()
    qtbot.keyClick(window.viewport, Qt.Key.Key_C)
    qtbot.keyClick(window.viewport, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert (compare.state.mode, compare.state.wipe) == ("wipe", pytest.approx(0.52))
    assert "Nothing to compare" in compare.bar.text.text()
    assert compare.bar.isVisible()
    assert window.menus.actions["compare.wipe"].isChecked()
    compare.stop()
    assert not compare.bar.isVisible()
    assert not window.menus.actions["compare.wipe"].isChecked()


@pytest.mark.parametrize("mode", ["split", "flicker"])
def test_the_window_can_be_closed_while_comparing(window, open_in, compare, mode: str) -> None:
    open_in(window, "stack.tif")
    compare.state.mode = mode
    window.close()
    assert compare.state.mode == "off"
    assert compare.second.document is None  # no_leaks looks for timers
