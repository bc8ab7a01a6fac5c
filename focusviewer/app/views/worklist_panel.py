"""The Worklist panel: every judged slide, the worst first, with filters and what is left to do."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app.models.worklist import Choice, Column, Line, Sieve, Snapshot, plain
from focusviewer.app.views.widgets import Section, button, hint, row
from focusviewer.app.views.worklist_preview_panel import WorklistPreviewPanel
from focusviewer.app.views.worklist_table import WorklistTable
from focusviewer.qc.verdicts.agreement import Agreement

WIDTH = 540
MOST_PAIRS = 8


class WorklistPanel(QWidget):
    """List, filters and figures; knows nothing of files."""

    open_requested = Signal()
    choice_changed = Signal(object)  # Choice

    def __init__(self) -> None:
        super().__init__()
        self.choice = Choice()
        self.table = WorklistTable()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Name, id, stain, reason")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Filter the worklist")
        self.sieve = QComboBox()
        self.sieve.setAccessibleName("Which slides to list")
        for sieve in Sieve:
            self.sieve.addItem(sieve.value, sieve)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.figures = hint()
        self.figures.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(5)
        self.bar.setAccessibleName("Judged by a person")
        self.nothing = hint()
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview = WorklistPreviewPanel()
        self.preview_section = Section("Move a threshold", self.preview, open_=False)
        self.agreement = _text_box()
        self.agreement_section = Section("Agreement of readers", self.agreement, open_=False)
        self.failures = QListWidget()
        self.failures.setMaximumHeight(120)
        self.failures.setWordWrap(True)
        self.failures.setAccessibleName("Files that could not be judged")
        self.failures_section = Section("Could not be judged", self.failures, open_=False)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._empty_page())
        self.pages.addWidget(self._list_page())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self.search.textChanged.connect(self._chosen)
        self.sieve.currentIndexChanged.connect(self._chosen)
        self.table.order_changed.connect(self._ordered)
        self.setTabOrder(self.search, self.sieve)
        self.setTabOrder(self.sieve, self.table)

    def _empty_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 12, 16, 12)
        text = hint("No worklist is open. “focusviewer qc” writes one into its output folder.")
        open_ = button("Open worklist…", "open", "Open a worklist.sqlite")
        open_.clicked.connect(self.open_requested)
        column.addWidget(text)
        column.addLayout(row(open_, 1))
        column.addStretch(1)
        return page

    def _list_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(8, 4, 4, 4)
        column.setSpacing(6)
        column.addWidget(self.title)
        column.addWidget(self.bar)
        column.addWidget(self.figures)
        top = row(self.search, self.sieve)
        top.setStretch(0, 1)
        column.addLayout(top)
        column.addWidget(self.nothing)
        column.addWidget(self.table, 1)
        for section in (self.preview_section, self.agreement_section, self.failures_section):
            column.addWidget(section)
        return page

    # --- what is shown -------------------------------------------------------------------------------------

    def show_worklist(self, snapshot: Snapshot | None) -> None:
        """Show the list's name and its failures, or that no list is open."""
        self.pages.setCurrentIndex(0 if snapshot is None else 1)
        failures = () if snapshot is None else snapshot.failures
        texts = [f"{plain(failure.path.name)}\n{plain(failure.reason)}" for failure in failures]
        if texts != [self.failures.item(i).text() for i in range(self.failures.count())]:
            self.failures.clear()
            self.failures.addItems(texts)
        self.failures_section.header.setText(f"Could not be judged ({len(texts)})")
        self.failures_section.setVisible(bool(texts))
        if snapshot is not None:
            self.title.setText(plain(snapshot.path.parent.name or str(snapshot.path)))
            self.title.setToolTip(f"<p>{escape(str(snapshot.path))}</p>")

    def show_lines(self, lines: list[Line], current: str, total: int) -> None:
        """Show the slides that passed the filter."""
        self.table.show_lines(lines, current)
        text = "No slide passes this filter." if total else "No slide has been judged yet."
        self.nothing.setText(text)
        self.nothing.setVisible(not lines)

    def show_progress(self, judged: int, mine: int, total: int, listed: int) -> None:
        """Tell how much is done."""
        self.bar.setRange(0, max(total, 1))
        self.bar.setValue(judged)
        text = f"{judged} of {total} judged, {mine} by you"
        self.figures.setText(text if listed == total else f"{text}   ·   {listed} listed")

    def show_agreement(self, pairs: list[tuple[str, str, Agreement]]) -> None:
        """Show kappa for every two readers."""
        lines = [agreement_text(*pair) for pair in pairs[:MOST_PAIRS]]
        if len(pairs) > MOST_PAIRS:
            lines.append(f"… and {len(pairs) - MOST_PAIRS} more pairs of readers")
        self.agreement.setText("\n".join(lines))
        self.agreement_section.setVisible(bool(lines))

    def show_blinded(self, blinded: bool) -> None:
        """Say by what the list is ordered now: for a blinded reader by name."""
        if blinded:
            descending = self.choice.column is Column.SLIDE and self.choice.descending
            self.table.show_order(Column.SLIDE, descending)
        else:
            self.table.show_order(self.choice.column, self.choice.descending)

    # --- slots ---------------------------------------------------------------------------------------------

    @Slot()
    def _chosen(self) -> None:
        self._choose(Choice(self.search.text(), self.sieve.currentData(), self.choice.column, self.choice.descending))

    @Slot(object, bool)
    def _ordered(self, column: Column, descending: bool) -> None:
        self._choose(Choice(self.choice.text, self.choice.sieve, column, descending))

    def _choose(self, choice: Choice) -> None:
        self.choice = choice
        self.choice_changed.emit(choice)


def _text_box() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setContentsMargins(12, 2, 12, 12)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def agreement_text(one: str, other: str, found: Agreement) -> str:
    """How far two readers agree, in words."""
    kappa = "κ not defined" if found.kappa is None else f"κ = {found.kappa:.2f}"
    share = f"{found.same} of {found.slides} slides alike"
    return f"{plain(one)} and {plain(other)}: {kappa}, {share}"
