"""Moving a picture with the mouse: dragging, gliding on, and clicks on the minimap."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Protocol

from PySide6.QtCore import QObject, QPointF, Qt, QTimer, Slot
from PySide6.QtWidgets import QWidget

from focusviewer.app.viewer.layers.minimap import Minimap
from focusviewer.app.viewer.view import View

INERTIA_MS = 16


class Picture(Protocol):
    """What can be moved by hand."""

    minimap: Minimap
    inertia: bool

    @property
    def view(self) -> View | None:
        """The current view, None without a slide."""

    @property
    def ratio(self) -> float:
        """Screen pixels per logical pixel."""

    def go_to(self, x: float, y: float, scale: float | None = None) -> None:
        """Centre a level-0 pixel."""

    def pan_pixels(self, dx: float, dy: float) -> None:
        """Move the picture by screen pixels."""


class Hand(QObject):
    """What the mouse holds of a viewport; positions are screen pixels."""

    def __init__(self, port: Picture, widget: QWidget) -> None:
        super().__init__(widget)
        self._port, self._widget = port, widget
        self._drag: QPointF | None = None
        self._on_map = False
        self._velocity = QPointF()
        self._moved_at = 0.0
        self._cursor = widget.cursor()  # to be restored
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
            self._cursor = self._widget.cursor()
            self._widget.setCursor(Qt.CursorShape.ClosedHandCursor)

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
            self._widget.setCursor(self._cursor)
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
