"""The whole slide in a corner of the picture."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from focusviewer.app.viewer.layers.heatmap import HeatmapLayer
from focusviewer.app.viewer.layers.hud import ACCENT
from focusviewer.app.viewer.layers.tiles import EMPTY
from focusviewer.app.viewer.view import View


class Minimap:
    """The whole slide in the upper right corner, with the part that is shown."""

    LONG_SIDE = 190

    def __init__(self) -> None:
        self.visible = True
        self._picture: QImage | None = None
        self._made_of: tuple[object, ...] = ()

    def rect(self, view: View, ratio: float) -> QRect:
        """Where the minimap lies, in screen pixels."""
        side = min(self.LONG_SIDE * ratio, view.width * 0.3, view.height * 0.4)
        factor = side / max(view.slide_width, view.slide_height)
        w, h = max(1, round(view.slide_width * factor)), max(1, round(view.slide_height * factor))
        margin = round(12 * ratio)
        return QRect(view.width - w - margin, margin, w, h)

    def contains(self, view: View, ratio: float, point: QPointF) -> bool:
        """Whether a screen position lies on the minimap."""
        return self.visible and self.rect(view, ratio).contains(point.toPoint())

    def slide_point(self, view: View, ratio: float, point: QPointF) -> tuple[float, float]:
        """Level-0 pixel under a screen position on the minimap."""
        rect = self.rect(view, ratio)
        across, down = view.slide_width / rect.width(), view.slide_height / rect.height()
        return (point.x() - rect.x()) * across, (point.y() - rect.y()) * down

    def paint(self, painter: QPainter, view: View, thumb: QImage | None, heat: HeatmapLayer, ratio: float) -> None:
        """Paint slide, map and view rectangle."""
        rect = self.rect(view, ratio)
        frame = rect.adjusted(-1, -1, 0, 0)
        painter.drawImage(rect.topLeft(), self._composed(rect, view, thumb, heat))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(20, 24, 30, 200), 1))
        painter.drawRect(frame)
        # A narrow slide's minimap is a few pixels wide, so that its sides are not quite in proportion.
        across, down = rect.width() / view.slide_width, rect.height() / view.slide_height
        x0, y0, x1, y1 = view.visible_rect()
        box = QRectF(rect.x() + x0 * across, rect.y() + y0 * down, (x1 - x0) * across, (y1 - y0) * down)
        if box.width() * box.height() >= 0.98 * rect.width() * rect.height():
            return
        if box.width() < 6 * ratio or box.height() < 6 * ratio:  # a view too small to see: mark its middle
            box = QRectF(box.center() - QPointF(4, 4) * ratio, box.center() + QPointF(4, 4) * ratio)
        for colour, width in ((QColor(0, 0, 0, 150), 3 * ratio), (ACCENT, 1.5 * ratio)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(box)

    def _composed(self, rect: QRect, view: View, thumb: QImage | None, heat: HeatmapLayer) -> QImage:
        shown = heat.image if heat.visible else None
        made_of = (
            rect.width(),
            thumb.cacheKey() if thumb is not None else 0,
            shown.cacheKey() if shown is not None else 0,
            heat.opacity,
            heat.rect,
        )
        if self._picture is None or made_of != self._made_of:
            picture = QImage(rect.size(), QImage.Format.Format_RGB32)
            picture.fill(EMPTY)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if thumb is not None:
                smooth = Qt.TransformationMode.SmoothTransformation
                fitted = thumb.scaled(rect.size(), Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
                painter.drawImage(QPoint(0, 0), fitted)
            if shown is not None:
                across, down = rect.width() / view.slide_width, rect.height() / view.slide_height
                x, y, w, h = heat.rect
                painter.setOpacity(max(heat.opacity, 0.5))
                painter.drawImage(QRectF(x * across, y * down, w * across, h * down), shown)
            painter.end()
            self._picture, self._made_of = picture, made_of
        return self._picture
