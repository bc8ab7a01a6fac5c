"""The focus map over the slide, and the outline of a region of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen

from focusviewer.app.viewer.layers.hud import ACCENT
from focusviewer.app.viewer.view import View

HATCH = QColor(30, 34, 42, 200)

_HATCH_PX = 6.0  # side of a window on the screen from which it is hatched


class HeatmapLayer:
    """A focus map over the slide; ``rect`` is its extent in level-0 pixels."""

    def __init__(self) -> None:
        self.image: QImage | None = None
        self.rect: tuple[float, float, float, float] = (0, 0, 0, 0)  # x, y, width, height
        self.hatched: npt.NDArray[np.float64] = np.empty((0, 4))  # boxes of windows that cannot be judged, as ``rect``
        self.opacity = 0.45
        self.visible = True

    def paint(self, painter: QPainter, view: View) -> None:
        """Blend the map over the picture; windows that cannot be judged are hatched where they are large enough."""
        if self.image is None or not self.visible:
            return
        x, y, w, h = self.rect
        ox, oy = view.origin
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.setOpacity(self.opacity)
        target = QRectF(ox + x * view.scale, oy + y * view.scale, w * view.scale, h * view.scale)
        painter.drawImage(target, self.image)
        self._hatch(painter, view)
        painter.restore()

    def _hatch(self, painter: QPainter, view: View) -> None:
        boxes = self.hatched
        if not len(boxes) or boxes[0, 3] * view.scale < _HATCH_PX:
            return
        ox, oy = view.origin
        left, top, right, bottom = view.visible_rect()
        inside = (boxes[:, 0] < right) & (boxes[:, 0] + boxes[:, 2] > left)
        inside &= (boxes[:, 1] < bottom) & (boxes[:, 1] + boxes[:, 3] > top)
        painter.setOpacity(max(self.opacity, 0.6))
        painter.setBrushOrigin(QPointF(ox, oy))
        brush = QBrush(HATCH, Qt.BrushStyle.BDiagPattern)
        for x, y, w, h in boxes[inside]:
            painter.fillRect(QRectF(ox + x * view.scale, oy + y * view.scale, w * view.scale, h * view.scale), brush)


class MarkLayer:
    """The outline of a region that was chosen in a list, level-0 pixels."""

    def __init__(self) -> None:
        self.rect: tuple[float, float, float, float] | None = None

    def paint(self, painter: QPainter, view: View) -> None:
        """Outline the rectangle."""
        if self.rect is None:
            return
        x, y, w, h = self.rect
        left, top = view.to_screen(x, y)
        box = QRectF(left, top, w * view.scale, h * view.scale)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor(0, 0, 0, 160), 4), (ACCENT, 2)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(box)
