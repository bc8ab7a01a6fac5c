"""Changes of mind in the middle of things: another slide, mode, engine or focus while something is going on."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QFont, QImage, QKeyEvent, QPainter

from focusviewer.app.refocus.area import RefocusRequest
from focusviewer.app.services.pixels import from_qimage
from focusviewer.app.viewer.layers.patch import Badge, PatchLayer, paint_badges, wrapped
from focusviewer.app.viewer.view import View
from focusviewer.core.errors import UserError
from tests.app.fakes import FakeEngine, FakeSlide, picture

LEFT = Qt.MouseButton.LeftButton


class GatedEngine(FakeEngine):
    """Waits at a gate, and refuses what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.refused: float | None = None

    def _encode(self, images, mpp, planes_um, focus_maps):
        self.gate.wait(10)
        return super()._encode(images, mpp, planes_um, focus_maps)

    def _render(self, encoded, target_um):
        self.gate.wait(10)
        if self.refused is not None and np.ndim(target_um) == 0 and target_um == self.refused:
            raise UserError("Cannot show this focus", "it is refused", "")
        return super()._render(encoded, target_um)


@pytest.fixture
def engine(window):
    made = GatedEngine()
    window.refocus.engine_maker = lambda name: made
    yield made
    made.gate.set()


@pytest.fixture
def close_up(window, open_in, engine, qtbot):
    """Open a slide, look at it closely and switch refocusing on."""

    def look(*names: str) -> None:
        open_in(window, *names)
        window.viewport.go_to(600, 450, 1.0)
        qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
        with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
            window.refocusing.toggle()

    return look


def begin_stroke(window, qtbot) -> None:
    window.refocusing.enter("paint")
    qtbot.mousePress(window.viewport, LEFT, pos=QPoint(200, 300))
    qtbot.mouseMove(window.viewport, QPoint(240, 300))


@pytest.mark.parametrize("way", ["undo", "clear", "slide"])
def test_a_stroke_ends_when_it_is_taken_back_or_the_slide_changes(window, close_up, qtbot, way: str) -> None:
    close_up("other.svs", "fake.svs")
    painting = window.painting
    begin_stroke(window, qtbot)
    assert len(painting.painting) == 1
    if way == "slide":
        window.slides.show(window.slides.documents[0])
        window.viewport.go_to(600, 450, 1.0)
        window.refocusing.enter("paint")
    else:
        getattr(painting, way)()
    qtbot.mouseMove(window.viewport, QPoint(300, 320))  # the button is still down
    qtbot.mouseRelease(window.viewport, LEFT, pos=QPoint(300, 320))
    assert len(painting.painting) == 0


def test_a_painting_is_kept_while_another_slide_is_looked_at(window, close_up, qtbot) -> None:
    close_up("other.svs", "fake.svs")
    painting = window.painting
    begin_stroke(window, qtbot)
    qtbot.mouseRelease(window.viewport, LEFT, pos=QPoint(240, 300))
    other, mine = window.slides.documents
    window.slides.show(other)
    assert painting.painting.is_empty
    window.slides.show(mine)
    assert len(painting.painting) == 1
    assert window.painting.box.save.isEnabledTo(window.painting.box)


def test_the_brush_is_not_shown_on_another_slide_beside(window, close_up, slides, qtbot) -> None:
    close_up("other.svs", "fake.svs")
    window.refocusing.enter("paint")
    compare = window.compare
    compare.state.mode = "split"
    ring = window.painting.ring
    painted: list[View] = []
    ring.paint = lambda painter, view: painted.append(view)  # type: ignore[method-assign]
    compare.state.content = f"slide {slides['other.svs'].fingerprint}"
    window.viewport.grab()
    compare.second.grab()
    assert window.viewport.view in painted
    assert all(view is not compare.second.view for view in painted)


def test_a_split_stays_at_one_place_when_the_slide_changes(window, open_in, qtbot) -> None:
    open_in(window, "other.svs", "fake.svs")
    compare = window.compare
    compare.state.mode = "split"
    window.viewport.go_to(2500, 1500, 1.0)
    for document in (*window.slides.documents, window.slides.documents[0]):
        window.slides.show(document)
        first, second = window.viewport.view, compare.second.view
        assert (second.cx, second.cy, second.scale) == pytest.approx((first.cx, first.cy, first.scale))
    window.viewport.go_to(700, 800, 1.0)
    assert (compare.second.view.cx, compare.second.view.cy) == pytest.approx((700, 800))


def test_going_back_to_a_known_view_refocuses_it_while_another_is_studied(window, close_up, engine, qtbot) -> None:
    close_up("fake.svs")
    known = window.refocus.studies.area
    window.refocusing.state.move(2.0)
    engine.gate.clear()
    window.viewport.go_to(1800, 1000, 1.0)
    window.refocus.view_rested()
    assert window.refocus.studies.is_busy
    window.viewport.go_to(600, 450, 1.0)
    window.refocus.view_rested()
    assert window.refocus.studies.area == known
    engine.gate.set()
    qtbot.waitUntil(lambda: window.refocus.shown is not None, timeout=5000)
    assert window.refocus.shown.area == known


def test_a_focus_that_is_refused_does_not_hold_up_the_next(window, close_up, engine, qtbot) -> None:
    close_up("fake.svs")
    renders, study = window.refocus.renders, window.refocus.studies.current
    engine.gate.clear()
    engine.refused = 1.0
    renders.ask(study, RefocusRequest("refocus", 1.0))
    renders.ask(study, RefocusRequest("refocus", 2.0))
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        engine.gate.set()
    assert window.refocus.shown.z_um == 2.0


@pytest.mark.parametrize("what", ["slide", "auto", "plane"])
def test_a_sweep_ends_when_something_else_is_wished_for(window, close_up, qtbot, what: str) -> None:
    close_up("other.svs", "stack.tif")
    sweep = window.refocusing.sweep
    sweep.play(True)
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        pass
    assert sweep.is_playing
    if what == "slide":
        window.slides.show(window.slides.documents[0])
    elif what == "auto":
        window.refocusing.auto_focus()
    else:
        window.viewer.set_plane(4 if window.document.view.plane != 4 else 0)
    assert not sweep.is_playing
    assert not window.refocusing.panel.sweep.play.isChecked()


def test_another_engine_stops_the_search_for_the_best_focus(window, close_up, engine, qtbot) -> None:
    close_up("fake.svs")
    engine.gate.clear()
    window.refocusing.auto_focus()
    (search,) = window.jobs.running("auto")
    window.refocusing.state.engine = "another"
    assert search.cancel.is_set()


def test_switching_off_says_nothing_of_a_focus_out_of_reach(window, close_up, engine, slides, qtbot) -> None:
    slides["far.tif"] = FakeSlide("far.tif", (1200, 900), planes_um=(-9.0, 9.0))
    close_up("far.tif")
    window.refocusing.panel.spin.setValue(0.0)
    qtbot.waitUntil(lambda: "Not supported" in window.refocusing.panel.status.text(), timeout=5000)
    window.refocus.toggle()
    assert window.refocusing.panel.status.text() == ""


def test_peeking_ends_with_its_key_whatever_else_is_held(window, close_up, qtbot) -> None:
    close_up("fake.svs")
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.panel.spin.setValue(2.0)
    seen = picture(window)
    patch = window.viewport.patch
    qtbot.keyPress(window.viewport, Qt.Key.Key_Space)
    assert patch.hidden
    shifted = QKeyEvent(QKeyEvent.Type.KeyRelease, Qt.Key.Key_Space, Qt.KeyboardModifier.ShiftModifier)
    window.compare.eventFilter(window.viewport, shifted)
    assert not patch.hidden
    assert np.array_equal(picture(window), seen)


# --- badges ------------------------------------------------------------------------------------------------


def badged(part: float, width: int = 810) -> np.ndarray:
    """Where a viewport with a wipe shows the badge of synthesised pixels: bool (H, W)."""
    screen = QImage(width, 500, QImage.Format.Format_RGB32)
    screen.fill(Qt.GlobalColor.darkBlue)
    patch = PatchLayer()
    patch.image = QImage(10, 10, QImage.Format.Format_RGB32)
    patch.badge, patch.detail, patch.wipe = "Synthesised  ·  z = +2.00 µm", "fast", part
    view = View(1000, 800)
    view.resize(width, 500)
    painter = QPainter(screen)
    paint_badges(painter, Badge(), patch, view, "", QRect(width - 200, 12, 188, 150), QFont(), 1.0)
    painter.end()
    pixels = from_qimage(screen)
    return (pixels[..., 0] > 200) & (pixels[..., 2] < 120)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.7, 0.8, 0.97])
def test_synthesised_pixels_are_badged_wherever_the_line_is(qapp, part: float) -> None:
    rows, columns = np.nonzero(badged(part))
    assert columns.size > 1500
    assert columns.max() < 810
    if part < 0.85:
        assert columns.min() >= 810 * part  # on their own side
    assert not ((columns > 610) & (rows < 162)).any()  # not on the minimap


def test_no_badge_without_synthesised_pixels(qapp) -> None:
    assert not badged(1.0).any()


def test_a_badge_keeps_its_words_in_a_narrow_place(qapp) -> None:
    text = "Synthesised  ·  z = +2.00 µm"
    font = QFont()
    font.setPixelSize(12)
    assert wrapped(text, font, 1000) == [text]
    assert wrapped(text, font, 130) == ["Synthesised", "z = +2.00 µm"]
    assert wrapped(text, font, 40)[0].endswith("…")
