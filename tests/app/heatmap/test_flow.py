from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt

from focusviewer.app.heatmap.presentation import emphasise, extent, map_statistics
from focusviewer.focus import colorize, lut_colours
from tests.app.fakes import FakeSlide, fake_map, picture, run_heatmap


def test_the_overlay_lies_on_its_windows(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.mapping.panel.opacity.setValue(100)
    window.mapping.panel.emphasise.setChecked(False)
    run_heatmap(window, qtbot)
    focus_map = window.heatmap.shown
    window.viewport.go_to(1500, 1000, 0.5)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    shown = picture(window).astype(int)
    sharp, blurred = (lut_colours("viridis")[round(255 * value / 16)].astype(int) for value in (1.0, 8.0))
    step = int(np.argmax(focus_map.blur[5] > 4))  # first blurred column
    for col, colour in ((step - 1, sharp), (step, blurred)):
        x, y = (round(v) for v in window.viewport.view.to_screen(focus_map.x[col], focus_map.y[5]))
        assert np.abs(shown[y, x] - colour).max() <= 2
    # the border between them is half a stride before the first blurred centre
    x = focus_map.x[step] - focus_map.stride_px / 2
    left, row = window.viewport.view.to_screen(float(x), float(focus_map.y[5]))
    assert np.abs(shown[round(row), round(left) - 3] - sharp).max() <= 2
    assert np.abs(shown[round(row), round(left) + 3] - blurred).max() <= 2


def test_background_stays_as_it_is_under_the_map(window, open_in, slides, qtbot) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(1500, 60, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    before = picture(window)
    run_heatmap(window, qtbot)
    after = picture(window)
    row = round(window.viewport.view.to_screen(0, 118)[1])  # the map's top row holds no tissue
    assert np.array_equal(before[row], after[row])
    assert not np.array_equal(before[row + 140], after[row + 140])


def test_figures_follow_the_threshold(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    assert "levels" in window.mapping.panel.figures.text()
    fraction = map_statistics(window.heatmap.shown, 3.0).blurred_fraction
    assert f"{100 * fraction:.1f} %" in window.mapping.panel.figures.text()
    window.mapping.panel.threshold.setValue(9.0)
    qtbot.waitUntil(lambda: window.mapping.panel.figures.text().startswith("0.0 % blurred"), timeout=3000)
    qtbot.waitUntil(lambda: window.mapping.panel.worst.count() == 0, timeout=3000)


def test_the_worst_region_is_listed_and_a_click_goes_there(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    qtbot.waitUntil(lambda: window.mapping.panel.worst.count() == 1, timeout=3000)
    window.mapping.panel.worst.itemClicked.emit(window.mapping.panel.worst.item(0))
    assert window.viewport.view.cx == pytest.approx(2250, abs=150)
    assert window.viewport.mark.rect is not None


def test_blur_under_the_cursor_is_told(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    window.viewport.pointed.emit(2800.0, 1000.0)
    assert window.status.blur.text() == "blur 8.0 levels ≈ 2.00 µm"
    window.viewport.pointed.emit(2800.0, 10.0)
    assert window.status.blur.text() == ""


def test_the_map_fills_in_and_can_be_stopped(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    go_on = threading.Event()

    def maker(document, name, plane, progress, job):
        whole = fake_map(document.slide)
        half = whole.blur.copy()
        half[8:] = np.nan
        progress(0.5, replace(whole, blur=half))
        go_on.wait(5)
        return whole

    window.heatmap.maker = maker
    window.mapping.run()
    qtbot.waitUntil(lambda: window.heatmap.shown is not None, timeout=3000)
    assert window.heatmap.is_running
    assert np.isnan(window.heatmap.shown.blur[8:]).all()
    assert window.viewport.heatmap.image is not None
    window.heatmap.stop()
    assert not window.heatmap.is_running
    assert window.mapping.panel.run.text() == "Run"
    go_on.set()
    qtbot.wait(50)
    assert np.isnan(window.heatmap.shown.blur[8:]).all()  # the late result was dropped
    assert "only a part of the slide" in window.mapping.panel.figures.text()


def test_the_whole_map_stays_when_it_is_done(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")

    def maker(document, name, plane, progress, job):
        whole = fake_map(document.slide)
        progress(0.5, replace(whole, blur=np.where(np.arange(whole.blur.shape[0])[:, None] < 8, whole.blur, np.nan)))
        return whole

    window.heatmap.maker = maker
    with qtbot.waitSignal(window.heatmap.finished, timeout=5000):
        window.mapping.run()
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    assert np.isfinite(window.heatmap.shown.blur[8:]).all()
    assert "part of the slide" not in window.mapping.panel.figures.text()


def test_a_map_is_not_shown_over_a_plane_it_is_not_of(window, open_in, qtbot) -> None:
    open_in(window, "stack.tif")
    go_on = threading.Event()

    def maker(document, name, plane, progress, job):
        go_on.wait(5)
        return fake_map(document.slide, plane=plane)

    window.heatmap.maker = maker
    mapped = window.document.view.plane
    window.mapping.run()
    window.viewer.turn_plane(1)
    with qtbot.waitSignal(window.heatmap.finished, timeout=5000):
        go_on.set()
    assert window.viewport.heatmap.image is None
    assert window.heatmap.shown is None
    window.viewer.set_plane(mapped)
    qtbot.waitUntil(lambda: window.viewport.heatmap.image is not None, timeout=3000)
    assert window.heatmap.shown.plane == mapped


def test_a_map_comes_back_with_its_slide(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    document = window.document
    run_heatmap(window, qtbot)
    open_in(window, "other.svs")
    assert window.viewport.heatmap.image is None
    window.slides.show(document)
    qtbot.waitUntil(lambda: window.viewport.heatmap.image is not None, timeout=3000)


def test_an_error_while_mapping_is_told_in_the_window(window, open_in, qtbot) -> None:
    from focusviewer.core.errors import ScaleUnknownError

    open_in(window, "fake.svs")

    def maker(document, name, plane, progress, job):
        raise ScaleUnknownError(document.name)

    window.heatmap.maker = maker
    window.mapping.run()
    qtbot.waitUntil(lambda: bool(window.messages.messages()), timeout=3000)
    assert "no known pixel size" in window.messages.messages()[0].text
    assert not window.heatmap.is_running


def test_hiding_the_map_shows_the_slide_again(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    before = picture(window)
    run_heatmap(window, qtbot)
    assert not np.array_equal(before, picture(window))
    window.mapping.toggle_overlay()
    assert np.array_equal(before, picture(window))


def test_cells_are_one_stride_around_their_centres() -> None:
    focus_map = fake_map(FakeSlide())
    x, y, width, height = extent(focus_map)
    rows, cols = focus_map.blur.shape
    assert (x, y) == (focus_map.x[0] - 65, focus_map.y[0] - 65)
    assert (width, height) == (130 * cols, 130 * rows)


def test_emphasis_fades_only_what_is_below_the_threshold() -> None:
    focus_map = fake_map(FakeSlide())
    rgba = emphasise(colorize(focus_map), focus_map, 3.0)
    blurred = np.nan_to_num(focus_map.blur) >= 3
    assert (rgba[blurred, 3] == 255).all()
    assert (rgba[(~blurred) & focus_map.tissue, 3] < 100).all()
    assert (rgba[~focus_map.tissue, 3] == 0).all()


def test_an_empty_map_has_no_figures() -> None:
    focus_map = fake_map(FakeSlide())
    statistics = map_statistics(replace(focus_map, blur=np.full_like(focus_map.blur, np.nan)), 3.0)
    assert statistics.windows == 0
    assert np.isnan(statistics.blurred_fraction)


def _map_with(slide, **layers):
    """A map whose third row cannot be judged; more layers where given."""
    plain = fake_map(slide)
    cannot_tell = np.zeros(plain.blur.shape, bool)
    cannot_tell[2] = True
    blur = np.where(cannot_tell, np.nan, plain.blur).astype(np.float32)
    return replace(plain, blur=blur, cannot_tell=cannot_tell, **layers)


def test_windows_that_cannot_be_judged_are_gray_hatched_and_named(window, open_in, qtbot) -> None:
    window.heatmap.maker = lambda document, *rest: _map_with(document.slide)
    open_in(window, "fake.svs")
    window.mapping.panel.opacity.setValue(100)
    window.viewport.go_to(2250, 500, 0.5)
    run_heatmap(window, qtbot)
    focus_map = window.heatmap.shown
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    shown = picture(window).astype(int)
    left, top = (
        round(v) for v in window.viewport.view.to_screen(float(focus_map.x[15]) - 60, float(focus_map.y[2]) - 60)
    )
    cell = shown[top : top + 60, left : left + 60]
    assert np.ptp(cell, axis=2).max() < 60 and cell.std() > 5  # gray, with lines across
    cols = focus_map.blur.shape[1]
    assert f"{cols} windows cannot be judged" in window.mapping.panel.figures.text()
    window.viewport.pointed.emit(float(focus_map.x[15]), float(focus_map.y[2]))
    assert "cannot tell" in window.status.blur.text()


def test_doubt_fades_windows_on_request_and_is_told(window, open_in, qtbot) -> None:
    doubt = np.zeros(fake_map(FakeSlide()).blur.shape, np.float32)
    doubt[:, -3:] = 8.0
    window.heatmap.maker = lambda document, *rest: replace(fake_map(document.slide), uncertainty=doubt)
    open_in(window, "fake.svs")
    assert window.mapping.panel.certainty.isHidden()
    run_heatmap(window, qtbot)
    assert not window.mapping.panel.certainty.isHidden()
    before = window.viewport.heatmap.image.copy()
    window.mapping.panel.certainty.setChecked(True)
    qtbot.waitUntil(lambda: window.viewport.heatmap.image != before, timeout=3000)
    image, last = window.viewport.heatmap.image, before.width() - 1
    assert image.pixelColor(last, 5).alpha() < 0.5 * before.pixelColor(last, 5).alpha()
    assert image.pixelColor(last - 4, 5) == before.pixelColor(last - 4, 5)
    window.viewport.pointed.emit(2900.0, 1000.0)
    assert "± 2.00 µm" in window.status.blur.text()


def test_members_of_a_fused_model_are_told_with_their_weights(window, open_in, qtbot) -> None:
    shape = fake_map(FakeSlide()).blur.shape
    layers = {"members": {"mlv": np.full(shape, 4.25)}, "weights": {"mlv": np.full(shape, 0.31)}}
    window.heatmap.maker = lambda document, *rest: replace(fake_map(document.slide), **layers)
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    window.viewport.pointed.emit(2800.0, 1000.0)
    assert all(part in window.viewport.toolTip() for part in ("mlv", "4.25", "31 %"))
    window.viewport.pointed.emit(2800.0, 10.0)  # no tissue
    assert window.viewport.toolTip() == ""


def test_the_panel_tells_the_calibration_and_what_regions_look_like(window, open_in, qtbot) -> None:
    window.heatmap.maker = lambda document, *rest: replace(fake_map(document.slide), calibration="stack of today")
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    assert window.mapping.panel.calibration.text() == "Calibrated: stack of today"
    qtbot.waitUntil(lambda: window.mapping.panel.worst.count() == 1, timeout=3000)
    text = window.mapping.panel.worst.item(0).text()
    assert text.startswith("2.00 µm") and "mm²" in text
    assert any(cause in text for cause in ("scan line", "tissue", "bubble", "fold", "whole slide"))


def test_a_model_that_is_not_listed_is_named_but_cannot_be_chosen(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    box, state = window.mapping.panel.model, window.mapping.state
    window.heatmap.show_stored(window.document, replace(fake_map(window.document.slide), model="of another version"))
    assert state.model == box.currentText() == "of another version"
    assert not box.model().flags(box.model().index(box.currentIndex(), 0)) & Qt.ItemFlag.ItemIsEnabled
    qtbot.waitUntil(lambda: window.viewport.heatmap.image is not None, timeout=3000)
    window.heatmap.load_models()
    qtbot.waitUntil(lambda: bool(state.models), timeout=20000)
    assert state.model == box.currentData() and box.currentIndex() == box.findData(state.model)


def test_the_next_worst_region_follows_the_row_of_the_list(window, open_in, qtbot) -> None:
    def maker(document, *rest):
        whole = fake_map(document.slide)
        return replace(whole, blur=np.where(np.arange(whole.blur.shape[0])[:, None] % 5 == 4, 0.5, whole.blur))

    window.heatmap.maker = maker
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    worst = window.mapping.panel.worst
    qtbot.waitUntil(lambda: worst.count() > 2, timeout=3000)
    worst.setCurrentRow(1)  # as the arrow keys do
    window.mapping.next_worst()
    assert worst.currentRow() == window.mapping.state.selected == 2
    x, y, width, height = window.mapping.state.worst[2].box
    assert (window.viewport.view.cx, window.viewport.view.cy) == pytest.approx((x + width / 2, y + height / 2), abs=150)
