"""The Refocus panel shows its state and changes it, without a slide or an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from focusviewer.app.painting.box import PaintBox
from focusviewer.app.painting.state import PaintingState
from focusviewer.app.refocus.panel import RefocusPanel
from focusviewer.app.refocus.state import RefocusState
from focusviewer.core.registry import ModelEntry
from focusviewer.refocus.base import MAX_PLANES


@pytest.fixture
def state() -> RefocusState:
    made = RefocusState(is_on=True, obstacle="")
    made.show_slide((-1.0, 0.0, 1.333), 0.0)
    return made


@pytest.fixture
def panel(qtbot, state: RefocusState) -> RefocusPanel:
    made = RefocusPanel(state)
    qtbot.addWidget(made)
    return made


def knob(panel: RefocusPanel) -> tuple[int, float]:
    return panel.slider.value(), panel.spin.value()


def test_slider_and_field_are_two_views_of_one_focus(panel: RefocusPanel, state: RefocusState) -> None:
    state.move(1.5)
    assert knob(panel) == (30, 1.5)
    panel.slider.setValue(-7)
    assert (state.target_um, knob(panel)) == (-0.35, (-7, -0.35))
    panel.spin.setValue(0.62)  # off the grid
    assert (state.target_um, knob(panel)) == (0.6, (12, 0.6))
    panel.spin.setValue(0.61)  # where it is already
    assert knob(panel) == (12, 0.6)
    panel.spin.stepUp()
    assert state.target_um == 0.7
    panel.slider.setValue(27)  # snaps to the plane
    assert (state.target_um, panel.spin.value()) == (1.333, 1.33)
    panel.reset.click()
    assert (state.target_um, knob(panel)) == (0.0, (0, 0.0))


def test_what_is_changed_by_the_program_is_not_told_as_the_users_wish(panel: RefocusPanel, state: RefocusState) -> None:
    turned, modes = [], []
    state.turned.connect(lambda: turned.append(state.target_um))
    panel.mode_requested.connect(modes.append)
    state.move(2.0)
    state.mode = "deblur"
    state.show_slide((0.0, 10.0), 10.0)
    assert (turned, modes) == ([], [])
    assert panel.mode.currentData() == "deblur"
    assert knob(panel) == (200, 10.0)
    assert (panel.low.text(), panel.high.text()) == ("−1", "+11")
    assert (panel.sweep.low.value(), panel.sweep.high.value()) == (8.0, 11.0)


def test_controls_are_enabled_while_something_can_be_refocused(panel: RefocusPanel, state: RefocusState) -> None:
    controls = (panel.slider, panel.spin, panel.reset, panel.mode, panel.sweep, panel.sources, panel.confidence)
    assert all(widget.isEnabledTo(panel) for widget in controls)
    state.obstacle = "Zoom in."
    assert not any(widget.isEnabledTo(panel) for widget in controls)
    assert panel.reason.text() == "Zoom in."
    state.obstacle = ""
    panel.switch.click()
    assert not state.is_on
    assert not any(widget.isEnabledTo(panel) for widget in controls)


def test_engines_are_listed_and_chosen(panel: RefocusPanel, state: RefocusState) -> None:
    entries = [
        ModelEntry(name, "refocus", lambda: None, "", Path("/nowhere/weights"), trained)
        for name, trained in (("without", True), ("a", False), ("b", False))
    ]
    state.offer_engines(entries, "b", "a")
    assert [panel.engine.itemText(index) for index in range(3)] == ["without (no weights)", "a", "b"]
    assert panel.engine.currentData() == "b"
    panel.engine.setCurrentIndex(1)
    assert state.engine == "a"


def test_more_planes_than_an_engine_takes_are_told(panel: RefocusPanel, state: RefocusState) -> None:
    state.show_slide(tuple(map(float, range(20))), 0.0)
    box = panel.sources
    marks = [box.planes.item(index).checkState() == Qt.CheckState.Checked for index in range(20)]
    assert marks == [True] * MAX_PLANES + [False] * 4
    assert not box.planes.isVisibleTo(box)
    box.selection.setCurrentIndex(1)
    assert state.manual_sources
    assert box.planes.isVisibleTo(box)
    box.planes.item(18).setCheckState(Qt.CheckState.Checked)
    assert box.warning.isVisibleTo(box)
    assert box.warning.text().startswith("17 are checked")
    state.show_slide((0.0,), 0.0)
    assert not box.isVisibleTo(panel)
    assert box.selection.currentIndex() == 0


def test_the_brush_takes_the_place_of_the_sweep(qtbot, panel: RefocusPanel, state: RefocusState) -> None:
    painting = PaintingState()
    box = PaintBox(painting)
    panel.set_paint_box(box)
    assert (box.isVisibleTo(panel), panel.sweep.isVisibleTo(panel)) == (False, True)
    state.mode = "paint"
    assert (box.isVisibleTo(panel), panel.sweep.isVisibleTo(panel)) == (True, False)
    box.softness.setValue(25)
    box.radius.setValue(12.5)
    assert (painting.softness, painting.radius_um) == (0.25, 12.5)
    assert not box.undo.isEnabledTo(box)
    assert not box.clear.isEnabledTo(box)
    painting.can_undo, painting.is_empty = True, False
    assert box.undo.isEnabledTo(box)
    assert box.clear.isEnabledTo(box)
    state.is_on = False
    assert not box.isEnabledTo(panel)


def test_the_button_shows_whether_the_focus_is_swept(panel: RefocusPanel, state: RefocusState) -> None:
    panel.sweep.play.click()
    assert state.playing
    state.turn(1.0)
    assert not panel.sweep.play.isChecked()


def test_the_distance_is_assumed_of_one_plane_only(panel: RefocusPanel, state: RefocusState) -> None:
    by_eye = panel.mode.model().index(panel.mode.findData("assume"), 0)
    assert not by_eye.flags() & Qt.ItemFlag.ItemIsEnabled
    state.mode = state.resting_mode
    assert panel.meaning.text() == "focus"
    state.show_slide((0.0,), 0.0)
    state.mode = state.resting_mode
    assert by_eye.flags() & Qt.ItemFlag.ItemIsEnabled
    assert panel.meaning.text() == "assumed distance from focus"
    assert "overdone" in panel.slider.toolTip()


def test_the_slider_shows_the_guess_and_its_range(panel: RefocusPanel, state: RefocusState) -> None:
    state.show_slide((0.0,), 0.0)

    def marked() -> list[int]:
        """Columns of the strip above the groove that are painted."""
        image = panel.slider.grab().toImage()
        empty = image.pixelColor(1, 3)
        return [x for x in range(image.width()) if image.pixelColor(x, 3) != empty]

    assert not marked()
    state.guess_um, state.likely_um = 2.0, (1.0, 3.0)
    first, last, width = marked()[0], marked()[-1], panel.slider.width()
    assert 0.2 < (last - first) / width < 0.27  # 2 of 8 um
    assert 0.7 < (first + last) / 2 / width < 0.77
    state.likely_um = None
    assert 1 <= len(marked()) <= 4
