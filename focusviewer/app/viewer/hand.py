"""Moving a picture with the mouse: dragging, gliding on, and clicks on the minimap."""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, Qt, QTimer, Slot

if TYPE_CHECKING:
    from focusviewer.app.viewer.viewport import Viewport

INERTIA_MS = 16


class Hand(QObject):
    """What the mouse holds of a viewport; positions are screen pixels."""

    def __init__(self, port: Viewport) -> None:
        super().__init__(port)
        self._port = port
        self._drag: QPointF | None = None
        self._on_map = False
        self._velocity = QPointF()
        self._moved_at = 0.0
        self._cursor = port.cursor()  # to be restored
        self._timer = QTimer(self, interval=INERTIA_MS)
        self._timer.timeout.connect(self._glide)

    def take(self, at: QPointF) -> None:
        """Begin to drag, or go where the minimap was clicked."""
        port = self._port
        assert port.view is not None
        self._on_map = port.minimap.contains(port.view, port.ratio, at)
        self._drag, self._velocity = at, QPointF()
        if self._on_map:
            port.go_to(*port.minimap.slide_point(port.view, port.ratio, at))
        else:
            self._cursor = port.cursor()
            port.setCursor(Qt.CursorShape.ClosedHandCursor)

    def move(self, at: QPointF) -> None:
        """Drag the picture, if it is held."""
        port = self._port
        if self._drag is None or port.view is None:
            return
        if self._on_map:
            port.go_to(*port.minimap.slide_point(port.view, port.ratio, at))
        else:
            step, now = at - self._drag, perf_counter()
            self._velocity = self._velocity * 0.5 + step * (0.5 / max(now - self._moved_at, 0.004))
            self._moved_at = now
            port.pan_pixels(step.x(), step.y())
        self._drag = at

    def let_go(self) -> None:
        """End the drag, gliding on if the user has chosen so."""
        gliding = self._port.inertia and self._drag is not None and not self._on_map
        if gliding and perf_counter() - self._moved_at < 0.06:
            self._timer.start()
        if self._drag is not None and not self._on_map:
            self._port.setCursor(self._cursor)
        self._drag = None

    def stop(self) -> None:
        """Glide no further."""
        self._timer.stop()

    @Slot()
    def _glide(self) -> None:
        self._velocity *= 0.92
        step = self._velocity * (INERTIA_MS / 1000)
        if math.hypot(step.x(), step.y()) < 0.5:
            self._timer.stop()
            return
        self._port.pan_pixels(step.x(), step.y())
