"""How the blur of the windows of a map is spread, with the threshold to drag."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from focusviewer.app.heatmap.reading import Histogram


class HistogramView(QWidget):
    """Tissue windows by blur, in the colours of the map, with the threshold to drag."""

    threshold_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._data: Histogram | None = None
        self._threshold = 3.0
        self.setFixedHeight(92)
        self.setToolTip("Tissue windows by blur. Drag the line to set the threshold.")

    def show_data(self, data: Histogram | None, threshold: float) -> None:
        """Show other counts."""
        self._data, self._threshold = data, threshold
        self.update()

    def set_threshold(self, threshold: float) -> None:
        """Move the line."""
        self._threshold = threshold
        self.update()

    def _plot(self) -> QRectF:
        return QRectF(2, 4, self.width() - 4, self.height() - 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint bars, axis and threshold."""
        painter = QPainter(self)
        plot = self._plot()
        faint = self.palette().color(QPalette.ColorRole.PlaceholderText)
        painter.fillRect(plot, self.palette().color(QPalette.ColorRole.Base))
        data = self._data
        if data is None or not data.counts.sum():
            painter.setPen(faint)
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, "no map yet")
            return
        # square root: a few blurred windows among thousands must still be seen
        heights = (data.counts / data.counts.max()) ** 0.5 * (plot.height() - 3)
        step = plot.width() / data.counts.size
        for index, height in enumerate(heights):
            if height > 0:
                red, green, blue, _ = (int(v) for v in data.colours[index])
                bar = QRectF(plot.x() + index * step, plot.bottom() - height, max(step - 0.6, 1), height)
                painter.fillRect(bar, QColor(red, green, blue))
        painter.setPen(faint)
        low, high = data.edges[0], data.edges[-1]
        axis = QRectF(plot.x(), plot.bottom() + 2, plot.width(), 16)
        painter.drawText(axis, Qt.AlignmentFlag.AlignLeft, f"{low:.3g}")
        painter.drawText(axis, Qt.AlignmentFlag.AlignHCenter, "blur")
        painter.drawText(axis, Qt.AlignmentFlag.AlignRight, f"{high:.3g}")
        x = plot.x() + (self._threshold - low) / (high - low) * plot.width()
        if plot.left() <= x <= plot.right():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Text), 1.5))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Set the threshold."""
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the threshold."""
        if self._data is None:
            return
        plot = self._plot()
        part = min(max((event.position().x() - plot.x()) / plot.width(), 0.0), 1.0)
        low, high = float(self._data.edges[0]), float(self._data.edges[-1])
        self.threshold_moved.emit(low + part * (high - low))
