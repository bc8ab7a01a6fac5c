"""Verdicts as coloured badges; the word is always written, as not everybody can tell the colours."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from focusviewer.qc.verdicts.judgement import Verdict

COLOURS = {  # back, text: at least 4.5 : 1 on both themes
    Verdict.PASS: ("#1a7f37", "#ffffff"),
    Verdict.REVIEW: ("#ffb020", "#1e1600"),
    Verdict.RESCAN: ("#c9202b", "#ffffff"),
}
HEIGHT = 18
PADDING = 7


def badge_font(font: QFont) -> QFont:
    """The font of badges."""
    small = QFont(font)
    small.setPointSizeF(max(7.0, font.pointSizeF() * 0.85) if font.pointSizeF() > 0 else 8.0)
    small.setBold(True)
    return small


def badge_width(verdict: Verdict, font: QFont) -> int:
    """Width of a badge in logical pixels."""
    return QFontMetrics(badge_font(font)).horizontalAdvance(verdict.value) + 2 * PADDING


def paint_badge(painter: QPainter, left: float, middle: float, verdict: Verdict) -> float:
    """Paint a badge whose left side's middle is given; returns its right side."""
    back, text = COLOURS[verdict]
    rect = QRectF(left, middle - HEIGHT / 2, badge_width(verdict, painter.font()), HEIGHT)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(back))
    painter.drawRoundedRect(rect, 4, 4)
    painter.setFont(badge_font(painter.font()))
    painter.setPen(QColor(text))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, verdict.value)
    painter.restore()
    return rect.right()


class VerdictBadge(QWidget):
    """A badge as a widget; nothing while there is no verdict."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict: Verdict | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_verdict(self, verdict: Verdict | None) -> None:
        """Show another one."""
        self.verdict = verdict
        self.setAccessibleName("" if verdict is None else verdict.value)
        self.setVisible(verdict is not None)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As large as the word needs."""
        width = 0 if self.verdict is None else badge_width(self.verdict, self.font())
        return QSize(width, HEIGHT + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the badge."""
        if self.verdict is not None:
            painter = QPainter(self)
            paint_badge(painter, 0, self.height() / 2, self.verdict)
            painter.end()
