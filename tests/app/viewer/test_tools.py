"""Which tool is in use, and what lies over the pictures."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPainter

from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.tools import Kind, PointerEvent, Tool, ToolBox


class Recorder(Tool):
    """Takes what the left button does and counts its own paintings."""

    def __init__(self) -> None:
        self.kinds: list[Kind] = []
        self.painted = 0

    def handle(self, event: PointerEvent) -> bool:
        self.kinds.append(event.kind)
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
    port, tool = window.viewport, Recorder()
    port.go_to(700, 700, 1.0)
    at = QPoint(port.width() // 2, port.height() // 2)
    port.tools.use(tool)
    assert port.cursor().shape() == tool.cursor
    place = (port.view.cx, port.view.cy)
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=at + QPoint(40, 0))
    assert tool.kinds == [Kind.PRESS, Kind.RELEASE]
    assert (port.view.cx, port.view.cy) == place
    port.tools.put_away(tool)
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(port, at + QPoint(40, 0))
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=at + QPoint(40, 0))
    assert port.view.cx < place[0]
    assert tool.kinds == [Kind.PRESS, Kind.RELEASE]


def test_an_overlay_is_painted_whichever_tool_is_in_use(window, open_in) -> None:
    open_in(window, "fake.svs")
    port, overlay, tool = window.viewport, Recorder(), Recorder()
    port.tools.overlays.append(overlay)
    port.repaint()
    port.tools.use(tool)
    port.repaint()
    port.tools.put_away(tool)
    port.repaint()
    assert overlay.painted >= 3
    assert 1 <= tool.painted < overlay.painted
