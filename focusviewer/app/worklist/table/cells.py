"""How the cells of the worklist are painted: pictures, badges, and names in two lines."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from focusviewer.app.worklist.lines import Column, Line
from focusviewer.app.worklist.table.model import COLUMNS, LINE_ROLE, Index
from focusviewer.app.worklist.verdicts.badge import paint_badge
from focusviewer.qc.verdicts.judgement import Verdict

THUMB = QSize(64, 48)


class LineDelegate(QStyledItemDelegate):
    """Paints pictures, badges, and reasons that end in dots."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a cell."""
        column = COLUMNS[index.column()]
        if column in (Column.PROGRAM, Column.PERSON):
            self._paint_verdict(painter, option, index)
        elif column is Column.SLIDE:
            self._paint_slide(painter, option, index)
        else:
            super().paint(painter, option, index)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """High enough for the picture."""
        return QSize(super().sizeHint(option, index).width(), THUMB.height() + 6)

    def _draw_background(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> QStyleOptionViewItem:
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        shown.text, shown.icon = "", QIcon()
        style = shown.widget.style() if shown.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, shown, painter, shown.widget)
        return shown

    def _paint_slide(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        shown = self._draw_background(painter, option, index)
        frame = QRect(shown.rect.left() + 4, 0, THUMB.width(), THUMB.height())
        frame.moveTop(shown.rect.center().y() - frame.height() // 2)
        pixmap = index.data(Qt.ItemDataRole.DecorationRole)
        if pixmap is not None:
            _paint_picture(painter, frame, pixmap)
        else:
            painter.fillRect(frame, shown.palette.color(QPalette.ColorRole.Midlight))
        _paint_name(painter, shown, index.data(LINE_ROLE))

    def _paint_verdict(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: Line = index.data(LINE_ROLE)
        is_program = COLUMNS[index.column()] is Column.PROGRAM
        person = None if line.person is None else line.person.verdict
        verdict = line.program if is_program else person
        would_be: Verdict | None = line.would_be if is_program else None
        if verdict is None:
            super().paint(painter, option, index)  # waits, or nothing
            return
        shown = self._draw_background(painter, option, index)
        painter.save()
        painter.setFont(shown.font)
        left, middle = shown.rect.left() + 5.0, shown.rect.center().y() + 0.5
        if would_be is not None:
            painter.setOpacity(0.45)
            paint_badge(painter, left, middle - 11, verdict)
            painter.setOpacity(1.0)
            paint_badge(painter, left, middle + 11, would_be)
        else:
            paint_badge(painter, left, middle, verdict)
        painter.restore()


def _paint_picture(painter: QPainter, frame: QRect, pixmap: QPixmap) -> None:
    """Paint a slide's picture into the middle of its frame."""
    size = pixmap.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
    target = QRect(0, 0, size.width(), size.height())
    target.moveCenter(frame.center())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawPixmap(target, pixmap)
    painter.restore()


def _paint_name(painter: QPainter, shown: QStyleOptionViewItem, line: Line) -> None:
    """Paint a slide's name beside its picture, in one line or two, and its number below."""
    text = shown.rect.adjusted(THUMB.width() + 12, 0, -4, 0)
    selected = bool(shown.state & QStyle.StateFlag.State_Selected)
    role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
    faint = role if selected else QPalette.ColorRole.PlaceholderText
    metrics = shown.fontMetrics
    below = line.row.facts.slide_id if line.row.facts.slide_id != line.row.facts.path.stem else ""
    lines = [(words, role) for words in two_lines(line.name, metrics, text.width())]
    lines += [(below, faint)] if below else []
    top = text.center().y() - metrics.height() * len(lines) // 2
    painter.save()
    for words, colour in lines:
        painter.setPen(shown.palette.color(colour))
        box = QRect(text.left(), top, text.width(), metrics.height())
        elided = metrics.elidedText(words, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, elided)
        top += metrics.height()
    painter.restore()


def two_lines(name: str, metrics: QFontMetrics, width: int) -> list[str]:
    """A name in one line, or in two where it is longer: names of slides often differ only at their ends."""
    if metrics.horizontalAdvance(name) <= width:
        return [name]
    fits = next(end for end in range(len(name), 0, -1) if end == 1 or metrics.horizontalAdvance(name[:end]) <= width)
    gap = max(name.rfind(sign, 0, fits) for sign in " -_.") + 1
    cut = gap if gap > 0.6 * fits else fits
    return [name[:cut], name[cut:]]
