"""The lines of the worklist as Qt's table model, and what its cells say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QPixmap

from focusviewer.app.services.plain import tooltip
from focusviewer.app.worklist.lines import Column, Line
from focusviewer.app.worklist.texts import local_time

COLUMNS = tuple(Column)
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

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show other lines; the same slides in the same order keep selection and scroll position."""
        same = [line.fingerprint for line in lines] == [line.fingerprint for line in self.lines]
        if not same:
            self.beginResetModel()
        self.lines = list(lines)
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
    """The tool tip of a cell, which shows names and notes as they are."""
    if column is Column.SLIDE:
        facts = line.row.facts
        rest = " · ".join(part for part in (facts.slide_id, facts.stain, facts.scanner) if part)
        return tooltip("\n".join(part for part in (str(facts.path), rest) if part))
    if column is Column.PERSON and line.person is not None:
        person = line.person
        note = f"\n{person.note}" if person.note else ""
        return tooltip(f"{person.who}, {local_time(person.given_at)}{note}")
    if line.result is not None and line.result.judgement.reasons:
        return tooltip("\n".join(line.result.judgement.reasons))
    return None
