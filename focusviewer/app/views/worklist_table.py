"""The table of a worklist: one line for each slide, with its picture and badges."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from focusviewer.app.models.worklist import Column, Line, local_time
from focusviewer.app.views.verdict_badge import badge_width, paint_badge
from focusviewer.qc.verdicts.judgement import Verdict

THUMB = QSize(64, 48)
COLUMNS = tuple(Column)
WIDTHS = {
    Column.SLIDE: 182,
    Column.PROGRAM: 72,
    Column.PERSON: 72,
    Column.SCORE: 50,
    Column.BLURRED: 58,
    Column.REGION: 82,
    Column.REASONS: 260,
}
NUMBERS = frozenset({Column.SCORE, Column.BLURRED, Column.REGION})
TIPS = {
    Column.PROGRAM: "What the program says",
    Column.PERSON: "What a person says; this counts",
    Column.SCORE: "Badness, 0 to 100: how much is blurred, and how far the worst tenth lies from focus",
    Column.BLURRED: "Part of the tissue that is blurred",
    Column.REGION: "The largest blurred region",
}
LINE_ROLE = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex
PictureOf = Callable[[Line], QPixmap | None]


class WorklistModel(QAbstractTableModel):
    """The lines in the order they are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self.picture_of: PictureOf = lambda line: None
        self._rows: dict[str, int] = {}

    def show_lines(self, lines: list[Line]) -> None:
        """Show other lines; the same slides in the same order keep selection and scroll position."""
        same = [line.fingerprint for line in lines] == [line.fingerprint for line in self.lines]
        if not same:
            self.beginResetModel()
        self.lines = lines
        self._rows = {line.fingerprint: number for number, line in enumerate(lines)}
        if not same:
            self.endResetModel()
        elif lines:
            self.dataChanged.emit(self.index(0, 0), self.index(len(lines) - 1, len(COLUMNS) - 1))

    def row_of(self, fingerprint: str) -> int | None:
        """Where a slide stands, None if it is not listed."""
        return self._rows.get(fingerprint)

    @Slot(str)
    def picture_arrived(self, fingerprint: str) -> None:
        """Paint a slide's picture."""
        row = self.row_of(fingerprint)
        if row is not None:
            index = self.index(row, 0)
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Number of lines."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Names of the columns."""
        if orientation == Qt.Orientation.Horizontal and 0 <= section < len(COLUMNS):
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section].value
            if role == Qt.ItemDataRole.ToolTipRole:
                return TIPS.get(COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a cell shows. Pictures are asked for only where they are painted."""
        if not index.isValid() or index.row() >= len(self.lines):
            return None
        line, column = self.lines[index.row()], COLUMNS[index.column()]
        if role == LINE_ROLE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.text(column)
        if role == Qt.ItemDataRole.DecorationRole and column is Column.SLIDE:
            return self.picture_of(line)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in NUMBERS:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_of(line, column)
        return None


def tip_of(line: Line, column: Column) -> str | None:
    """The tool tip of a cell (rich text, whatever the names hold)."""
    if column is Column.SLIDE:
        facts = line.row.facts
        rest = " · ".join(part for part in (facts.slide_id, facts.stain, facts.scanner) if part)
        return "<br>".join(escape(part) for part in (str(facts.path), rest) if part)
    if column is Column.PERSON and line.person is not None:
        person = line.person
        note = f"<br>{escape(person.note)}" if person.note else ""
        return f"{escape(person.who)}, {local_time(person.given_at)}{note}"
    if line.result is not None and line.result.judgement.reasons:
        return "<br>".join(escape(reason) for reason in line.result.judgement.reasons)
    return None


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

    def _ground(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> QStyleOptionViewItem:
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        shown.text, shown.icon = "", QIcon()
        style = shown.widget.style() if shown.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, shown, painter, shown.widget)
        return shown

    def _paint_slide(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: Line = index.data(LINE_ROLE)
        shown = self._ground(painter, option, index)
        frame = QRect(shown.rect.left() + 4, 0, THUMB.width(), THUMB.height())
        frame.moveTop(shown.rect.center().y() - frame.height() // 2)
        pixmap = index.data(Qt.ItemDataRole.DecorationRole)
        if pixmap is not None:
            size = pixmap.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(frame.center())
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(target, pixmap)
            painter.restore()
        else:
            painter.fillRect(frame, shown.palette.color(QPalette.ColorRole.Midlight))
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

    def _paint_verdict(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: Line = index.data(LINE_ROLE)
        is_program = COLUMNS[index.column()] is Column.PROGRAM
        person = None if line.person is None else line.person.verdict
        verdict = line.program if is_program else person
        would_be: Verdict | None = line.would_be if is_program else None
        if verdict is None:
            super().paint(painter, option, index)  # waits, or nothing
            return
        shown = self._ground(painter, option, index)
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


def two_lines(name: str, metrics: QFontMetrics, width: int) -> list[str]:
    """A name in one line, or in two where it is longer: the ends of names are what tells slides apart."""
    if metrics.horizontalAdvance(name) <= width:
        return [name]
    fits = next(end for end in range(len(name), 0, -1) if end == 1 or metrics.horizontalAdvance(name[:end]) <= width)
    gap = max(name.rfind(sign, 0, fits) for sign in " -_.") + 1
    cut = gap if gap > 0.6 * fits else fits
    return [name[:cut], name[cut:]]


class WorklistTable(QTableView):
    """The table with the manners of a list: whole lines, one at a time."""

    current_changed = Signal(str)  # fingerprint; empty for none
    opened = Signal(str)
    order_changed = Signal(object, bool)  # Column, descending

    def __init__(self) -> None:
        super().__init__()
        self._quiet = False
        self.lines = WorklistModel()
        self.setModel(self.lines)
        self.setItemDelegate(LineDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)  # Tab leaves the table
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setAccessibleName("Slides of the worklist")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(THUMB.height() + 6)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(True)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(COLUMNS.index(Column.SCORE), Qt.SortOrder.DescendingOrder)
        header.sortIndicatorChanged.connect(self._order)
        longest = max(badge_width(verdict, self.font()) for verdict in Verdict) + 12
        for number, column in enumerate(COLUMNS):
            narrow = column in (Column.PROGRAM, Column.PERSON)
            self.setColumnWidth(number, max(WIDTHS[column], longest) if narrow else WIDTHS[column])
        self.activated.connect(self._activate)
        self.selectionModel().currentRowChanged.connect(self._current)

    @property
    def current(self) -> str:
        """Fingerprint of the selected slide, empty for none."""
        index = self.currentIndex()
        return self.lines.lines[index.row()].fingerprint if index.isValid() else ""

    def show_lines(self, lines: list[Line], current: str) -> None:
        """Show other lines and select a slide, without telling that it was selected."""
        self._quiet = True
        self.lines.show_lines(lines)
        self._quiet = False
        self.select(current)

    def select(self, fingerprint: str) -> None:
        """Select a slide, or nothing if it is not listed, without telling so."""
        row = self.lines.row_of(fingerprint)
        self._quiet = True
        if row is None:
            self.selectionModel().clear()
        elif row != self.currentIndex().row() or not self.selectionModel().hasSelection():
            self.setCurrentIndex(self.lines.index(row, 0))
            self.scrollTo(self.lines.index(row, 0))
        self._quiet = False

    def show_order(self, column: Column, descending: bool) -> None:
        """Mark the column that the lines are ordered by."""
        self.horizontalHeader().blockSignals(True)
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.horizontalHeader().setSortIndicator(COLUMNS.index(column), order)
        self.horizontalHeader().blockSignals(False)

    @Slot(QModelIndex)
    def _activate(self, index: QModelIndex) -> None:
        if index.isValid():
            self.opened.emit(self.lines.lines[index.row()].fingerprint)

    @Slot()
    def _current(self) -> None:
        if not self._quiet:
            self.current_changed.emit(self.current)

    @Slot(int, Qt.SortOrder)
    def _order(self, section: int, order: Qt.SortOrder) -> None:
        self.order_changed.emit(COLUMNS[section], order == Qt.SortOrder.DescendingOrder)
