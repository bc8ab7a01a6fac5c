"""The table of a worklist: one line for each slide, with its picture and badges."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from focusviewer.app.services.binding import signals_blocked
from focusviewer.app.worklist.lines import Column, Line
from focusviewer.app.worklist.table.cells import THUMB, LineDelegate
from focusviewer.app.worklist.table.model import COLUMNS, WorklistModel
from focusviewer.app.worklist.verdicts.badge import badge_width
from focusviewer.qc.verdicts.judgement import Verdict

WIDTHS = {
    Column.SLIDE: 182,
    Column.PROGRAM: 72,
    Column.PERSON: 72,
    Column.SCORE: 50,
    Column.BLURRED: 58,
    Column.REGION: 82,
    Column.REASONS: 260,
}


class WorklistTable(QTableView):
    """A table that selects whole lines, one at a time."""

    current_changed = Signal(str)  # fingerprint; empty for none
    opened = Signal(str)
    order_changed = Signal(object, bool)  # Column, descending

    def __init__(self) -> None:
        super().__init__()
        self._is_updating = False
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
        self._set_up_header()
        self.activated.connect(self._activate)
        self.selectionModel().currentRowChanged.connect(self._current)

    def _set_up_header(self) -> None:
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

    @property
    def current(self) -> str:
        """Fingerprint of the selected slide, empty for none."""
        index = self.currentIndex()
        return self.lines.lines[index.row()].fingerprint if index.isValid() else ""

    def show_lines(self, lines: Sequence[Line], current: str) -> None:
        """Show other lines and select a slide, without telling that it was selected."""
        self._is_updating = True
        self.lines.show_lines(lines)
        self._is_updating = False
        self.select(current)

    def select(self, fingerprint: str) -> None:
        """Select a slide, or nothing if it is not listed, without telling so."""
        row = self.lines.row_of(fingerprint)
        self._is_updating = True
        if row is None:
            self.selectionModel().clear()
        elif row != self.currentIndex().row() or not self.selectionModel().hasSelection():
            self.setCurrentIndex(self.lines.index(row, 0))
            self.scrollTo(self.lines.index(row, 0))
        self._is_updating = False

    def show_order(self, column: Column, descending: bool) -> None:
        """Mark the column that the lines are ordered by."""
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        with signals_blocked(self.horizontalHeader()):
            self.horizontalHeader().setSortIndicator(COLUMNS.index(column), order)

    @Slot(QModelIndex)
    def _activate(self, index: QModelIndex) -> None:
        if index.isValid():
            self.opened.emit(self.lines.lines[index.row()].fingerprint)

    @Slot()
    def _current(self) -> None:
        if not self._is_updating:
            self.current_changed.emit(self.current)

    @Slot(int, Qt.SortOrder)
    def _order(self, section: int, order: Qt.SortOrder) -> None:
        self.order_changed.emit(COLUMNS[section], order == Qt.SortOrder.DescendingOrder)
