"""The line that is dragged across the picture, with the scan on its left."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from focusviewer.app.compare.state import CompareState
from focusviewer.app.compare.views import WIPE_STEP, CompareMode
from focusviewer.app.services.binding import follow
from focusviewer.app.viewer.layers.hud import ACCENT

WIDTH = 30
KNOB = 13.0


class WipeHandle(QWidget):
    """Lies over a picture where the state's line of the wipe is, and moves it."""

    def __init__(self, picture: QWidget, state: CompareState) -> None:
        super().__init__(picture)
        self._picture, self._state = picture, state
        self._drag_offset = 0.0
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Line between scan and refocused picture")
        self.setToolTip("Drag, or Shift + ← →. Double click: back to the middle.")
        picture.installEventFilter(self)
        follow(state, "mode", self._show_mode)
        state.events.wipe.connect(self.place)

    def _show_mode(self, mode: CompareMode) -> None:
        self.setVisible(mode == "wipe")
        self.place()

    def place(self) -> None:
        """Lie where the line is, whatever the size of the picture."""
        x = round(self._state.wipe * self._picture.width())
        self.setGeometry(x - WIDTH // 2, 0, WIDTH, self._picture.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of the picture."""
        if event.type() == QEvent.Type.Resize and self.isVisibleTo(self._picture):
            self.place()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Note where on the handle the drag begins, so that the line does not jump."""
        self._drag_offset = event.position().x() - WIDTH / 2

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the line."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            at = self.mapToParent(event.position()).x() - self._drag_offset
            self._state.move_wipe(at / max(self._picture.width(), 1) - self._state.wipe)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to the middle."""
        self._state.wipe = 0.5

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys move the line while it has the focus."""
        steps = {Qt.Key.Key_Left: -WIPE_STEP, Qt.Key.Key_Right: WIPE_STEP}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._state.move_wipe(step)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that the keys work here."""
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that they do not."""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line with a knob, readable on any tissue."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x, y = WIDTH / 2, self.height() / 2
        for colour, width in ((QColor(0, 0, 0, 150), 4.0), (ACCENT, 2.0)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setPen(QPen(QColor(255, 255, 255) if self.hasFocus() else QColor(0, 0, 0, 150), 2.0))
        painter.setBrush(ACCENT)
        painter.drawEllipse(QRectF(x - KNOB, y - KNOB, 2 * KNOB, 2 * KNOB))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(30, 22, 0))
        for side in (-1, 1):
            tip, back = x + 8 * side, x + 3 * side
            painter.drawPolygon(QPolygonF([QPointF(tip, y), QPointF(back, y - 5), QPointF(back, y + 5)]))
