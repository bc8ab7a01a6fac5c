"""The outline of the brush over the picture, with the focus that it paints."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from focusviewer.app.viewer.layers.hud import ACCENT, HUD_TEXT, hud_box, hud_font
from focusviewer.app.viewer.view import View

SMALLEST_PX = 3.0


class BrushRing:
    """A circle at the cursor with the focus beside it; positions and radius in level-0 pixels."""

    def __init__(self, font: QFont) -> None:
        self.place: tuple[float, float] | None = None
        self.radius = 0.0
        self.softness = 0.0
        self.text = ""
        self.ratio = 1.0
        self._font = font

    def paint(self, painter: QPainter, view: View) -> None:
        """Paint the ring, its solid part inside, and the focus."""
        if self.place is None:
            return
        centre = QPointF(*view.to_screen(*self.place))
        radius = max(self.radius * view.scale, SMALLEST_PX)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor(0, 0, 0, 170), 3.5), (ACCENT, 1.6)):
            painter.setPen(QPen(colour, width * self.ratio))
            painter.drawEllipse(centre, radius, radius)
        inner = radius * (1 - self.softness)
        if self.softness > 0 and inner > SMALLEST_PX:
            painter.setPen(QPen(ACCENT, self.ratio, Qt.PenStyle.DotLine))
            painter.drawEllipse(centre, inner, inner)
        font = hud_font(self._font, self.ratio)
        metrics = QFontMetricsF(font)
        size = metrics.horizontalAdvance(self.text) + 12 * self.ratio, metrics.height() + 4 * self.ratio
        left = min(centre.x() + radius + 6 * self.ratio, view.width - size[0] - 4 * self.ratio)
        box = QRectF(left, centre.y() - size[1] / 2, *size)
        hud_box(painter, box, self.ratio)
        painter.setPen(HUD_TEXT)
        painter.setFont(font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text)
        painter.restore()
