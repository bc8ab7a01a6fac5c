"""The histogram with its threshold, and the curve of a stack."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QPalette, QWheelEvent
from PySide6.QtWidgets import QApplication

from focusviewer.app.heatmap.curve import CurveView
from focusviewer.app.heatmap.histogram import HEIGHT, HistogramView
from focusviewer.app.heatmap.presentation import FocusCurve, Histogram
from focusviewer.app.widgets import theme
from tests.app.fakes import fake_map, run_heatmap


@pytest.fixture
def data() -> Histogram:
    """Four bins from 0 to 16, from empty to full."""
    colours = np.array([(68, 1, 84, 255), (59, 82, 139, 255), (33, 145, 140, 255), (253, 231, 37, 255)], np.uint8)
    return Histogram(np.array([0, 1, 4, 16]), np.linspace(0, 16, 5), colours)


@pytest.fixture
def view(qtbot, data: Histogram) -> HistogramView:
    """A histogram that is drawn."""
    made = HistogramView()
    qtbot.addWidget(made)
    made.resize(304, HEIGHT)
    made.allow_plots(True)
    made.show_data(data)
    made.show()
    qtbot.waitExposed(made)
    QApplication.processEvents()
    return made


def at(view: HistogramView, blur: float, height: float = 0.5) -> QPoint:
    """The pixel of the plot at a blur and a height."""
    assert view.bars is not None
    box = view.bars.getPlotItem().getViewBox()
    return view.bars.mapFromScene(box.mapViewToScene(QPointF(blur, height)))


def colour_at(view: HistogramView, blur: float, height: float) -> QColor:
    assert view.bars is not None
    return view.bars.grab().toImage().pixelColor(at(view, blur, height))


def test_without_a_map_the_histogram_says_so_and_loads_nothing(qtbot, data: Histogram) -> None:
    view = HistogramView()
    qtbot.addWidget(view)
    assert (view.height(), view.empty.text()) == (92, "no map yet")
    view.show_data(data)  # the library is not loaded yet
    assert view.bars is None
    assert (view.low.text(), view.title.text(), view.high.text()) == ("0", "blur", "16")
    view.allow_plots(True)
    assert view.bars is not None and view.empty.isHidden()
    view.show_data(None)
    assert view.bars.isHidden() and not view.empty.isHidden()
    assert (view.empty.text(), view.title.text()) == ("no map yet", "")


def test_a_histogram_of_no_window_is_none(view: HistogramView, data: Histogram) -> None:
    view.show_data(replace(data, counts=np.zeros(4, np.int64)))
    assert view.empty.text() == "no map yet"


def test_bars_have_the_colours_of_the_map_and_the_square_root_as_height(view: HistogramView, data: Histogram) -> None:
    base = view.palette().color(QPalette.ColorRole.Base)
    for index, height in enumerate((0.0, 0.25, 0.5, 1.0)):
        blur = 4 * index + 1.0
        assert colour_at(view, blur, height + 0.03) == base
        if height:
            assert colour_at(view, blur, height - 0.1) == QColor(*(int(part) for part in data.colours[index]))


def test_the_line_stands_at_the_threshold_and_only_within_the_range(view: HistogramView) -> None:
    def is_dark(blur: float) -> bool:
        image, where = view.bars.grab().toImage(), at(view, blur, 0.95)
        return min(image.pixelColor(where + QPoint(aside, 0)).lightness() for aside in (-1, 0, 1)) < 100

    view.set_threshold(2.0)
    assert is_dark(2.0) and not is_dark(6.0)
    view.set_threshold(6.0)
    assert is_dark(6.0) and not is_dark(2.0)
    view.set_threshold(40.0)
    assert not any(is_dark(blur) for blur in (2.0, 6.0))


@pytest.mark.parametrize("start", [2.0, 7.0], ids=["on the line", "beside it"])
def test_the_threshold_is_dragged(view: HistogramView, qtbot, start: float) -> None:
    told: list[float] = []
    view.threshold_moved.connect(told.append)
    view.threshold_moved.connect(view.set_threshold)
    view.set_threshold(2.0)
    mouse = view.bars.viewport()
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(mouse, left, pos=at(view, start))
    for blur in (8.0, 9.0, 10.0):
        qtbot.mouseMove(mouse, at(view, blur))
        qtbot.wait(20)
    qtbot.mouseRelease(mouse, left, pos=at(view, 10.0))
    assert told[-1] == pytest.approx(10.0, abs=0.2)
    qtbot.mousePress(mouse, left, pos=at(view, 10.0))
    for x in (mouse.width() - 20, mouse.width() + 40):
        qtbot.mouseMove(mouse, QPoint(x, 20))
        qtbot.wait(20)
    qtbot.mouseRelease(mouse, left, pos=QPoint(mouse.width() + 40, 20))
    assert told[-1] == 16.0  # no further than the end


def test_a_click_beside_the_line_brings_it_there(view: HistogramView, qtbot) -> None:
    told: list[float] = []
    view.threshold_moved.connect(told.append)
    qtbot.mouseClick(view.bars.viewport(), Qt.MouseButton.LeftButton, pos=at(view, 12.0))
    assert told == [pytest.approx(12.0, abs=0.2)]


def test_the_plot_is_neither_zoomed_nor_moved_by_the_mouse(view: HistogramView, qtbot) -> None:
    before = view.bars.viewRange()
    mouse, middle = view.bars.viewport(), QPointF(100, 30)
    buttons, none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    wheel = QWheelEvent(
        middle, mouse.mapToGlobal(middle), QPoint(), QPoint(0, 120), buttons, none, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(mouse, wheel)
    assert not wheel.isAccepted()  # the panel around it scrolls
    qtbot.mouseClick(mouse, Qt.MouseButton.RightButton, pos=QPoint(50, 30))
    assert QApplication.activePopupWidget() is None
    for button in (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton):
        qtbot.mousePress(mouse, button, pos=QPoint(50, 30))
        qtbot.mouseMove(mouse, QPoint(120, 30))
        qtbot.mouseRelease(mouse, button, pos=QPoint(120, 30))
    assert view.bars.viewRange() == before


def test_the_plots_follow_the_theme(view: HistogramView, qapp: QApplication) -> None:
    theme.apply_theme(qapp, "dark")
    try:
        QApplication.processEvents()
        assert colour_at(view, 1.0, 0.5) == QColor(theme.DARK[QPalette.ColorRole.Base])
    finally:
        theme.apply_theme(qapp, "light")
    QApplication.processEvents()
    assert colour_at(view, 1.0, 0.5) == QColor(theme.LIGHT[QPalette.ColorRole.Base])


def test_the_curve_is_seen_only_where_there_is_one(qtbot) -> None:
    view = CurveView()
    qtbot.addWidget(view)
    curve = FocusCurve((-1.0, 0.0, 1.0), (4.0, 1.0, 3.0), 1.0, absolute=True)
    view.show_curve(curve)
    assert view.isHidden() and view.plot is None  # the library is not loaded yet
    view.allow_plots(True)
    assert not view.isHidden() and view.title.text() == "Median blur (levels) by z in µm"
    view.show_curve(replace(curve, absolute=False, z_known=False))
    assert view.title.text() == "Median blur (scores) by plane"
    view.show_curve(None)
    assert view.isHidden()


def test_dragging_the_line_moves_the_threshold_of_the_panel(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    run_heatmap(window, qtbot)
    view = window.mapping.panel.histogram
    view.threshold_moved.emit(5.4321)
    assert window.mapping.state.threshold == 5.43
    assert window.mapping.panel.threshold.value() == 5.43
    assert "1.36 µm" in window.mapping.panel.threshold_um.text()


def test_planes_that_were_mapped_are_compared(window, open_in, slides, qtbot) -> None:
    open_in(window, "stack.tif")
    run_heatmap(window, qtbot)
    panel, state = window.mapping.panel, window.mapping.state
    assert panel.curve.isHidden()
    window.viewer.turn_plane(1)
    window.heatmap.maker = lambda document, name, plane, *rest: replace(
        fake_map(document.slide, plane=plane), blur=np.full_like(fake_map(document.slide).blur, 2.5)
    )
    run_heatmap(window, qtbot)
    assert state.curve is not None
    assert (state.curve.z, state.curve.median[1], state.curve.shown) == ((0.0, 1.0), 2.5, 1.0)
    assert panel.curve.isVisible()
    window.viewer.turn_plane(1)
    assert state.curve.shown == 2.0  # not mapped, but marked
    open_in(window, "fake.svs")
    assert state.curve is None and panel.curve.isHidden()


def test_a_window_that_maps_nothing_does_not_load_the_plotting_library(tmp_path) -> None:
    code = (
        "import sys\n"
        "from focusviewer.app.program import make_application, make_window\n"
        "app = make_application(offscreen=True)\n"
        "window = make_window(app, remember=False)\n"
        "window.show(); app.processEvents()\n"
        "print('pyqtgraph' in sys.modules)\n"
        "window.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
