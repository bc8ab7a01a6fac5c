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


class Pannable(Protocol):
    """A picture that can be moved with the mouse."""

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


class PanGesture(QObject):
    """One drag of a viewport, or of the rectangle in its minimap; positions are screen pixels."""

    def __init__(self, viewport: Pannable, widget: QWidget) -> None:
        super().__init__(widget)
        self._viewport, self._widget = viewport, widget
        self._drag: QPointF | None = None
        self._on_minimap = False
        self._velocity = QPointF()
        self._moved_at = 0.0
        self._cursor = widget.cursor()  # to be restored
        self._timer = QTimer(self, interval=INERTIA_MS)
        self._timer.timeout.connect(self._glide)

    def press(self, at: QPointF) -> None:
        """Begin to drag, or go where the minimap was clicked."""
        viewport = self._viewport
        assert viewport.view is not None
        self._on_minimap = viewport.minimap.contains(viewport.view, viewport.ratio, at)
        self._drag, self._velocity = at, QPointF()
        if self._on_minimap:
            viewport.go_to(*viewport.minimap.slide_point(viewport.view, viewport.ratio, at))
        else:
            self._cursor = self._widget.cursor()
            self._widget.setCursor(Qt.CursorShape.ClosedHandCursor)

    def move(self, at: QPointF) -> None:
        """Move the picture, if a drag has begun."""
        viewport = self._viewport
        if self._drag is None or viewport.view is None:
            return
        if self._on_minimap:
            viewport.go_to(*viewport.minimap.slide_point(viewport.view, viewport.ratio, at))
        else:
            step, now = at - self._drag, perf_counter()
            self._velocity = self._velocity * 0.5 + step * (0.5 / max(now - self._moved_at, 0.004))
            self._moved_at = now
            viewport.pan_pixels(step.x(), step.y())
        self._drag = at

    def release(self) -> None:
        """End the drag, gliding on if the user has chosen so."""
        gliding = self._viewport.inertia and self._drag is not None and not self._on_minimap
        if gliding and perf_counter() - self._moved_at < 0.06:
            self._timer.start()
        if self._drag is not None and not self._on_minimap:
            self._widget.setCursor(self._cursor)
        self._drag = None

    def stop(self) -> None:
        """End the gliding."""
        self._timer.stop()

    @Slot()
    def _glide(self) -> None:
        self._velocity *= 0.92
        step = self._velocity * (INERTIA_MS / 1000)
        if math.hypot(step.x(), step.y()) < 0.5:
            self._timer.stop()
            return
        self._viewport.pan_pixels(step.x(), step.y())
