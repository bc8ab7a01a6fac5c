"""A slider in um with a mark at every acquired plane."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPalette, QPolygonF
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider

from focusviewer.app.refocus.area import KNOB_STEP_UM, grid_steps, grid_um
from focusviewer.app.services.binding import signals_blocked


class FocusSlider(QSlider):
    """A slider in um with a mark at every acquired plane; its positions are those of the knob's grid."""

    moved_um = Signal(float)  # by the user

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._marks: tuple[float, ...] = (0.0,)
        self._guess: float | None = None
        self._likely: tuple[float, float] | None = None
        self.set_range_um(-4.0, 4.0)
        self.setSingleStep(2)
        self.setPageStep(10)
        self.setMinimumHeight(34)
        self.valueChanged.connect(self._emit_moved)

    def set_range_um(self, low: float, high: float) -> None:
        """Set the ends, in um, without a signal."""
        with signals_blocked(self):
            self.setRange(grid_steps(low), grid_steps(high))

    def set_marks(self, planes_um: tuple[float, ...]) -> None:
        """Mark the acquired planes."""
        self._marks = planes_um
        self.update()

    def set_guess(self, guess_um: float | None, likely_um: tuple[float, float] | None) -> None:
        """Mark where the tissue is believed to lie, and between which positions most of it may lie."""
        self._guess, self._likely = guess_um, likely_um
        self.update()

    def set_value_um(self, value: float) -> None:
        """Move without a signal."""
        with signals_blocked(self):
            self.setValue(grid_steps(value))
        self.update()

    @Slot(int)
    def _emit_moved(self, steps: int) -> None:
        self.moved_um.emit(grid_um(steps))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to where the groove is clicked, then drag from there."""
        if event.button() == Qt.MouseButton.LeftButton:
            handle, left, width = self._handle()
            if not handle.contains(event.position()):
                part = (event.position().x() - left) / max(width, 1)
                self.setValue(round(self.minimum() + part * (self.maximum() - self.minimum())))
        super().mousePressEvent(event)

    def _handle(self) -> tuple[QRectF, float, float]:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style = QStyle.ComplexControl.CC_Slider
        handle = self.style().subControlRect(style, option, QStyle.SubControl.SC_SliderHandle, self)
        groove = self.style().subControlRect(style, option, QStyle.SubControl.SC_SliderGroove, self)
        left = groove.left() + handle.width() / 2
        return QRectF(handle), left, groove.width() - handle.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the marks below the slider, and the guess above it."""
        _, left, width = self._handle()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self.palette().color(QPalette.ColorRole.Highlight if self.isEnabled() else QPalette.ColorRole.Mid)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        span = max(self.maximum() - self.minimum(), 1) * KNOB_STEP_UM

        def place(z_um: float) -> float:
            return float(left + (z_um - self.minimum() * KNOB_STEP_UM) / span * width)

        if self._guess is not None:
            low, high = (place(z_um) for z_um in self._likely or (self._guess, self._guess))
            painter.setOpacity(0.4)
            painter.drawRect(QRectF(low, 2, max(high - low, 0), 3))
            painter.setOpacity(1)
            painter.drawRect(QRectF(place(self._guess) - 1, 0, 2, 7))
        for mark in self._marks:
            x = place(mark)
            bottom = float(self.height())
            painter.drawPolygon(
                QPolygonF([QPointF(x, bottom - 7), QPointF(x - 4, bottom - 1), QPointF(x + 4, bottom - 1)])
            )
        painter.end()
        super().paintEvent(event)
