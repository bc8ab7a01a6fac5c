"""Colours, background boxes and fonts of what is written over the picture (the heads-up display)."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter

HUD_BACK = QColor(20, 24, 30, 190)
HUD_TEXT = QColor(245, 247, 250)
ACCENT = QColor(255, 176, 32)


def hud_box(painter: QPainter, box: QRectF, ratio: float, colour: QColor = HUD_BACK) -> None:
    """A rounded dark box under text that must be readable on any tissue."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(box, 5 * ratio, 5 * ratio)


def hud_font(base: QFont, ratio: float, bold: bool = False) -> QFont:
    """The widget's font in screen pixels."""
    font = QFont(base)
    font.setPixelSize(round(12 * ratio))
    font.setBold(bold)
    return font
