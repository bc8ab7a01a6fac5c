"""A bar of a round length."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter

from focusviewer.app.viewer import scales
from focusviewer.app.viewer.layers.hud import HUD_TEXT, hud_box, hud_font
from focusviewer.app.viewer.view import View


class ScaleBar:
    """A bar of a round length, lower left."""

    visible = True

    def paint(self, painter: QPainter, view: View, mpp: float | None, font: QFont, ratio: float) -> None:
        """Paint the bar with its length in um, or px when the scale is unknown; ``mpp`` is that across."""
        unit = (mpp or 1.0) / view.scale  # um, or level-0 px, per screen px
        length = scales.nice_length(160 * ratio * unit)
        text = f"{length:g} px" if mpp is None else scales.length_text(length)
        width = length / unit
        font = hud_font(font, ratio)
        metrics = QFontMetricsF(font)
        pad, thick = 9 * ratio, 3 * ratio
        box_w = max(width, metrics.horizontalAdvance(text)) + 2 * pad
        box_h = metrics.height() + thick + 5 * ratio + 1.4 * pad
        box = QRectF(12 * ratio, view.height - box_h - 12 * ratio, box_w, box_h)
        hud_box(painter, box, ratio)
        painter.setPen(HUD_TEXT)
        painter.setFont(font)
        text_box = QRectF(box.x(), box.y() + 0.5 * pad, box.width(), metrics.height())
        painter.drawText(text_box, Qt.AlignmentFlag.AlignCenter, text)
        bar = QRectF(box.center().x() - width / 2, box.bottom() - 0.7 * pad - thick, width, thick)
        painter.fillRect(bar, HUD_TEXT)
