"""The Worklist panel: every judged slide, the worst first, with filters and what is left to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
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

from focusviewer.app.services.binding import follow, show_choice, signals_blocked
from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.widgets.common import Section, button, hint, row
from focusviewer.app.worklist.lines import Choice, Column, Filter
from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.app.worklist.state import Listing, Pairs, WorklistState
from focusviewer.app.worklist.table.view import WorklistTable
from focusviewer.app.worklist.texts import agreement_text, plain
from focusviewer.app.worklist.thresholds.panel import ThresholdPanel

WIDTH = 540
MAX_PAIRS = 8


class WorklistPanel(QWidget):
    """List, filters and figures; knows nothing of files."""

    open_requested = Signal()

    def __init__(self, state: WorklistState, thresholds: ThresholdPanel) -> None:
        super().__init__()
        self._state = state
        self.table = WorklistTable()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Name, id, stain, reason")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Filter the worklist")
        self.filter = QComboBox()
        self.filter.setAccessibleName("Which slides to list")
        for filter_ in Filter:
            self.filter.addItem(filter_.value, filter_)
        self.title = PlainLabel()
        self.figures = hint()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(5)
        self.bar.setAccessibleName("Judged by a person")
        self.nothing = hint()
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.thresholds = thresholds
        self.thresholds_section = Section("Move a threshold", thresholds, open_=False)
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
        self.setTabOrder(self.search, self.filter)
        self.setTabOrder(self.filter, self.table)
        self._connect()

    def _connect(self) -> None:
        state = self._state
        self.search.textChanged.connect(lambda text: self._choose(text=text))
        self.filter.currentIndexChanged.connect(lambda index: self._choose(filter=self.filter.itemData(index)))
        self.table.order_changed.connect(lambda column, down: self._choose(column=column, descending=down))
        self.table.current_changed.connect(state.select)
        follow(state, "snapshot", self._show_worklist)
        follow(state, "listing", self._show_listing)
        follow(state, "selected", self.table.select)
        follow(state, "agreement", self._show_agreement)
        follow(state, "choice", self._show_choice)
        state.events.blinded.connect(self._show_order)

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
        top = row(self.search, self.filter)
        top.setStretch(0, 1)
        column.addLayout(top)
        column.addWidget(self.nothing)
        column.addWidget(self.table, 1)
        for section in (self.thresholds_section, self.agreement_section, self.failures_section):
            column.addWidget(section)
        return page

    # --- what is shown -------------------------------------------------------------------------------------

    def _show_worklist(self, snapshot: Snapshot | None) -> None:
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
            self.title.setText(plain(snapshot.folder.name or str(snapshot.path)))
            self.title.setToolTip(tooltip(str(snapshot.path)))

    def _show_listing(self, listing: Listing) -> None:
        """Show the slides that pass the filter, and how much is done."""
        total, judged = len(listing.lines), listing.judged
        self.table.show_lines(listing.listed, self._state.selected)
        text = "No slide passes this filter." if total else "No slide has been judged yet."
        self.nothing.setText(text)
        self.nothing.setVisible(not listing.listed)
        self.bar.setRange(0, max(total, 1))
        self.bar.setValue(judged)
        text = f"{judged} of {total} judged, {listing.mine} by you"
        self.figures.setText(text if len(listing.listed) == total else f"{text}   ·   {len(listing.listed)} listed")

    def _show_agreement(self, pairs: Pairs) -> None:
        """Show kappa for every two readers."""
        lines = [agreement_text(*pair) for pair in pairs[:MAX_PAIRS]]
        if len(pairs) > MAX_PAIRS:
            lines.append(f"… and {len(pairs) - MAX_PAIRS} more pairs of readers")
        self.agreement.setText("\n".join(lines))
        self.agreement_section.setVisible(bool(lines))

    def _show_choice(self, choice: Choice) -> None:
        if self.search.text() != choice.text:
            with signals_blocked(self.search):
                self.search.setText(choice.text)
        show_choice(self.filter, choice.filter)
        self._show_order()

    def _show_order(self) -> None:
        """Say by what the list is ordered now: for a blinded reader by name."""
        choice = self._state.choice
        if self._state.blinded:
            self.table.show_order(Column.SLIDE, choice.column is Column.SLIDE and choice.descending)
        else:
            self.table.show_order(choice.column, choice.descending)

    def _choose(self, **changes: Any) -> None:
        """Change a part of what is listed."""
        self._state.choice = replace(self._state.choice, **changes)
        self._show_order()  # a click on the header has marked its column, also where the order stays


def _text_box() -> QLabel:
    label = PlainLabel()
    label.setWordWrap(True)
    label.setContentsMargins(12, 2, 12, 12)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
