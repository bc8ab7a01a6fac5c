"""Which tool is in use, and what lies over the pictures."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPainter

from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.tools import PointerAction, PointerEvent, Tool, ToolBox


class Recorder(Tool):
    """Takes what the left button does and counts its own paintings."""

    def __init__(self) -> None:
        self.actions: list[PointerAction] = []
        self.painted = 0

    def handle(self, event: PointerEvent) -> bool:
        self.actions.append(event.action)
        return event.button == Qt.MouseButton.LeftButton

    def paint(self, painter: QPainter, document: Document, ratio: float) -> None:
        self.painted += 1


def test_the_tool_before_comes_back_when_one_is_put_away() -> None:
    box, first, second = ToolBox(), Recorder(), Recorder()
    changes: list[Tool | None] = []
    box.changed.connect(lambda: changes.append(box.active))
    box.use(first)
    box.use(second)
    box.use(second)
    box.put_away(second)
    box.put_away(first)
    assert changes == [first, second, first, None]


def test_a_tool_that_waits_is_put_away_without_a_change() -> None:
    box, first, second = ToolBox(), Recorder(), Recorder()
    box.use(first)
    box.use(second)
    changes: list[None] = []
    box.changed.connect(lambda: changes.append(None))
    box.put_away(first)
    assert box.active is second and changes == []
    box.put_away(second)
    assert box.active is None


def test_a_tool_takes_the_mouse_and_leaves_the_rest_to_the_picture(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    viewport, tool = window.viewport, Recorder()
    viewport.go_to(700, 700, 1.0)
    at = QPoint(viewport.width() // 2, viewport.height() // 2)
    viewport.tools.use(tool)
    assert viewport.cursor().shape() == tool.cursor
    place = (viewport.view.cx, viewport.view.cy)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at + QPoint(40, 0))
    assert tool.actions == [PointerAction.PRESS, PointerAction.RELEASE]
    assert (viewport.view.cx, viewport.view.cy) == place
    viewport.tools.put_away(tool)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(viewport, at + QPoint(40, 0))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at + QPoint(40, 0))
    assert viewport.view.cx < place[0]
    assert tool.actions == [PointerAction.PRESS, PointerAction.RELEASE]


def test_an_overlay_is_painted_whichever_tool_is_in_use(window, open_in) -> None:
    open_in(window, "fake.svs")
    viewport, overlay, tool = window.viewport, Recorder(), Recorder()
    viewport.tools.overlays.append(overlay)
    viewport.repaint()
    viewport.tools.use(tool)
    viewport.repaint()
    viewport.tools.put_away(tool)
    viewport.repaint()
    assert overlay.painted >= 3
    assert 1 <= tool.painted < overlay.painted
