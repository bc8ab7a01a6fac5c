"""Strokes on the slide's undo stack, alone and among what else lies there."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QUndoStack

from focusviewer.app.painting.strokes import save_painting
from focusviewer.app.services.undo import Edit
from tests.app.fakes import FakeEngine

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def painting(window, open_in, qtbot):
    """The painting of a window that looks closely at a slide, in the mode to paint."""
    window.refocus.engine_maker = lambda name: FakeEngine()
    open_in(window, "other.svs", "fake.svs")
    window.viewport.go_to(600, 450, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
        window.refocusing.enter("paint")
    return window.painting


@pytest.fixture
def stack(window, painting) -> QUndoStack:
    """The undo stack of that slide."""
    return window.undo.of(window.document.slide.fingerprint)


def drag(window, qtbot, y: int) -> None:
    port = window.viewport
    qtbot.mousePress(port, LEFT, pos=QPoint(200, y))
    for x in (240, 280, 320):
        qtbot.mouseMove(port, QPoint(x, y))
    qtbot.mouseRelease(port, LEFT, pos=QPoint(320, y))


def verdict(stack: QUndoStack, told: list[str]) -> None:
    """Something else on the stack."""
    stack.push(Edit("Pass", lambda: told.append("done"), lambda: told.append("undone")))


def strokes(painting) -> tuple:
    return painting.snapshot().strokes


def test_one_drag_is_one_item_and_is_done_again_whole(window, painting, stack, qtbot) -> None:
    drag(window, qtbot, 300)
    drag(window, qtbot, 350)
    both = strokes(painting)
    assert stack.count() == len(both) == 2
    assert len(both[0].points) > 3
    window.undo.undo()  # of the slide on screen
    assert strokes(painting) == both[:1]
    window.undo.undo()
    assert painting.painting.is_empty
    assert not painting.box.undo.isEnabledTo(painting.box)
    window.undo.redo()
    window.undo.redo()
    assert strokes(painting) == both
    assert painting.box.undo.isEnabledTo(painting.box)


def test_the_key_takes_back_the_last_stroke_also_below_something_else(window, painting, stack, qtbot) -> None:
    told: list[str] = []
    drag(window, qtbot, 300)
    first = strokes(painting)
    drag(window, qtbot, 350)
    verdict(stack, told)
    window.menus.actions["focus.paint_undo"].trigger()
    assert strokes(painting) == first
    assert told == ["done"]  # it stays
    stack.undo()
    assert told == ["done", "undone"]
    stack.undo()  # the stroke that was taken back out of turn: dropped, and not taken back twice
    assert strokes(painting) == first
    assert stack.count() == 2
    window.menus.actions["focus.paint_undo"].trigger()
    assert painting.painting.is_empty
    stack.redo()
    stack.redo()
    assert strokes(painting) == first
    assert told == ["done", "undone", "done"]


def test_strokes_below_something_else_are_taken_back_one_by_one(window, painting, stack, qtbot) -> None:
    told: list[str] = []
    drag(window, qtbot, 300)
    verdict(stack, told)
    drag(window, qtbot, 350)
    for left in (1, 0, 0):
        painting.undo()
        assert len(painting.painting) == left
    assert told == ["done"]


def test_clearing_is_taken_back_as_one(window, painting, stack, qtbot) -> None:
    drag(window, qtbot, 300)
    drag(window, qtbot, 350)
    both = strokes(painting)
    painting.box.clear.click()
    assert painting.painting.is_empty
    assert not painting.box.save.isEnabledTo(painting.box)
    painting.clear()  # nothing more to clear
    assert stack.count() == 3
    painting.undo()
    assert strokes(painting) == both
    stack.redo()
    assert painting.painting.is_empty


def test_a_stroke_that_is_undone_while_it_is_drawn_ends(window, painting, stack, qtbot) -> None:
    qtbot.mousePress(window.viewport, LEFT, pos=QPoint(200, 300))
    qtbot.mouseMove(window.viewport, QPoint(240, 300))
    window.undo.undo()
    qtbot.mouseMove(window.viewport, QPoint(280, 300))  # the button is still down
    qtbot.mouseRelease(window.viewport, LEFT, pos=QPoint(280, 300))
    assert painting.painting.is_empty


def test_every_slide_has_its_own(window, painting, stack, qtbot) -> None:
    drag(window, qtbot, 300)
    other, mine = window.slides.documents
    window.slides.show(other)
    window.undo.undo()  # of the other slide: nothing
    stack.undo()  # of a slide that is not on screen
    assert not painting.state.can_undo
    window.slides.show(mine)
    assert painting.painting.is_empty


def test_loaded_strokes_are_taken_back_too_and_what_they_replaced_is_gone(
    window, painting, stack, qtbot, tmp_path
) -> None:
    drag(window, qtbot, 300)
    drag(window, qtbot, 350)
    path = tmp_path / "focus.npy"
    save_painting(path, painting.snapshot(), (100, 100, 200, 200), {})
    drag(window, qtbot, 400)
    painting.load(path)
    qtbot.waitUntil(lambda: len(painting.painting) == 2, timeout=5000)
    drag(window, qtbot, 250)
    for left in (2, 1, 0):
        painting.undo()
        assert len(painting.painting) == left
    while stack.canUndo():
        stack.undo()
    assert painting.painting.is_empty
