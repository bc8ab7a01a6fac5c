"""The Verdict panel: what the program found on a slide, and what a person says."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QWidget,
)

from focusviewer.app.services.binding import bind_check, bind_text, follow
from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.widgets.common import button, hint, panel_layout, row
from focusviewer.app.worklist.lines import Line
from focusviewer.app.worklist.state import WorklistState
from focusviewer.app.worklist.texts import breakable, history_text, plain, region_text
from focusviewer.app.worklist.verdicts.badge import COLOURS, VerdictBadge
from focusviewer.qc.verdicts.judgement import Verdict

PICTURE = QSize(300, 170)
MAX_HISTORY = 12
KEYS = {Verdict.PASS: "P", Verdict.REVIEW: "V", Verdict.RESCAN: "X"}


class VerdictPanel(QWidget):
    """Shows the selected slide of the worklist and takes the verdict on it."""

    verdict_given = Signal(object)
    note_entered = Signal()
    undo_requested = Signal()
    region_chosen = Signal(int)
    reader_requested = Signal()

    def __init__(self, state: WorklistState) -> None:
        super().__init__()
        self._state = state
        self.name = _plain_label(bold=True)
        self.about = hint()
        self.elsewhere = PlainLabel("Not on screen")
        self.elsewhere.setObjectName("badge")
        self.picture = PlainLabel()
        self.picture.setAccessibleName("Thumbnail with focus map")
        self.program = VerdictBadge()
        self.score = PlainLabel()
        self.reasons = _plain_label()
        self.regions = QListWidget()
        self.regions.setFixedHeight(78)
        self.regions.setToolTip("Click to go there")
        self.regions.setAccessibleName("Blurred regions, the worst first")
        self.regions_title = hint()
        self.buttons = {verdict: self._button(verdict) for verdict in Verdict}
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note, kept with your verdict")
        self.note.setMaxLength(2000)
        self.note.setAccessibleName("Note")
        self.undo = button("Undo", "undo", "Take back your last verdict (Ctrl+Z)")
        self.blinded = QCheckBox("Blinded")
        self.blinded.setToolTip("Hide what was found, and the order, until you have judged a slide (Ctrl+B)")
        self.advance = QCheckBox("Next slide after a verdict")
        self.reader = hint()
        self.change_reader = button("Change…", "", "Who gives the verdicts")
        self.history_title = hint("History")
        self.history = _plain_label()
        self._lay_out()
        self._connect()

    def _connect(self) -> None:
        state = self._state
        self.note.returnPressed.connect(self.note_entered)
        self.undo.clicked.connect(self.undo_requested)
        self.change_reader.clicked.connect(self.reader_requested)
        self.regions.itemClicked.connect(self._region_clicked)
        self.regions.itemActivated.connect(self._region_clicked)
        bind_text(state, "note", self.note)
        bind_check(state, "blinded", self.blinded)
        bind_check(state, "advance", self.advance)
        follow(state, "reader", self._show_reader)
        follow(state, "region", self.regions.setCurrentRow)
        for event in (state.events.listing, state.events.selected, state.events.on_screen):
            event.connect(self._show_line)
        state.events.history.connect(self._show_history)
        self._show_line()

    def _button(self, verdict: Verdict) -> QPushButton:
        made = button(
            f"{verdict.value.capitalize()} ({KEYS[verdict]})", "", f"This slide: {verdict.value} ({KEYS[verdict]})"
        )
        made.setCheckable(True)
        back, text = COLOURS[verdict]
        made.setStyleSheet(
            f"QPushButton:checked {{ background: {back}; color: {text}; border: 0; border-radius: 4px; padding: 5px; "
            "font-weight: 600; }"
        )
        made.clicked.connect(lambda _checked=False: self._clicked(verdict))
        return made

    def _lay_out(self) -> None:
        layout = panel_layout(self)
        layout.addWidget(self.name)
        layout.addWidget(self.about)
        layout.addLayout(row(self.elsewhere, 1))
        layout.addWidget(self.picture)
        layout.addLayout(row(self.program, self.score, 1, spacing=8))
        layout.addWidget(self.reasons)
        layout.addWidget(self.regions_title)
        layout.addWidget(self.regions)
        layout.addLayout(row(*self.buttons.values()))
        layout.addWidget(self.note)
        layout.addLayout(row(self.undo, 1, self.blinded))
        layout.addLayout(row(self.advance, 1))
        layout.addLayout(row(self.reader, 1, self.change_reader))
        layout.addWidget(self.history_title)
        layout.addWidget(self.history)

    # --- what is shown -------------------------------------------------------------------------------------

    def _show_line(self) -> None:
        """Show the selected slide, or that none is selected."""
        line = self._state.line
        there = line is not None
        self._show_name(line)
        self._show_findings(line)
        for verdict, made in self.buttons.items():
            made.setEnabled(there)
            made.setChecked(self._is_mine(verdict))
        self.note.setEnabled(there)
        self._show_regions(line)
        self._show_history()

    def _is_mine(self, verdict: Verdict) -> bool:
        line = self._state.line
        return line is not None and line.mine is verdict

    def _show_name(self, line: Line | None) -> None:
        self.name.setText(breakable(line.name) if line else "No slide of the worklist is selected.")
        self.name.setToolTip(tooltip(str(line.row.facts.path)) if line else "")
        facts = line.row.facts if line else None
        about = [facts.slide_id, facts.stain, facts.scanner] if facts else []
        self.about.setText(breakable(plain("   ·   ".join(part for part in about if part))))
        self.about.setVisible(bool(self.about.text()))
        self.elsewhere.setVisible(line is not None and line.fingerprint != self._state.on_screen)

    def _show_findings(self, line: Line | None) -> None:
        self.program.show_verdict(line.program if line else None)
        result = line.result if line else None
        self.score.setText(f"score {result.judgement.score:.1f}" if result else "")
        self.score.setToolTip(tooltip(f"{result.judgement.rules}, {result.model}") if result else "")
        self.score.setVisible(result is not None)
        self.reasons.setText("" if line is None else self._reasons(line))
        self.reasons.setVisible(line is not None)

    def _reasons(self, line: Line) -> str:
        if line.hidden:
            return "What was found is hidden until you have given your verdict."
        if line.result is None:
            return "The program has not judged this slide yet."
        reasons = line.result.judgement.reasons
        return "\n".join(f"•  {plain(reason)}" for reason in reasons) or "Nothing speaks against it."

    def _show_regions(self, line: Line | None) -> None:
        texts = [region_text(region) for region in line.regions] if line else []
        if texts != [self.regions.item(i).text() for i in range(self.regions.count())]:
            self.regions.clear()
            for number, text in enumerate(texts):
                item = QListWidgetItem(text)
                item.setData(Qt.ItemDataRole.UserRole, number)
                self.regions.addItem(item)
            self.regions.setCurrentRow(self._state.region)
        count = "1 blurred region" if len(texts) == 1 else f"{len(texts)} blurred regions, the worst first"
        self.regions_title.setText(f"{count} (W, Shift+W)")
        for widget in (self.regions, self.regions_title):
            widget.setVisible(bool(texts))

    def show_picture(self, picture: QPixmap | None) -> None:
        """Show the slide's thumbnail."""
        self.picture.setVisible(picture is not None)
        if picture is not None:
            ratio = self.devicePixelRatioF()
            smooth = Qt.TransformationMode.SmoothTransformation
            fitted = picture.scaled(PICTURE * ratio, Qt.AspectRatioMode.KeepAspectRatio, smooth)
            fitted.setDevicePixelRatio(ratio)
            self.picture.setPixmap(fitted)

    def _show_history(self) -> None:
        """Show every verdict ever given, the latest first, if it may be shown."""
        line = self._state.line
        history = () if line is None or line.hidden else self._state.history
        lines = [history_text(entry) for entry in reversed(history)]
        if len(lines) > MAX_HISTORY:
            lines = [*lines[:MAX_HISTORY], f"… and {len(lines) - MAX_HISTORY} earlier ones"]
        self.history.setText("\n".join(breakable(line) for line in lines))
        for widget in (self.history, self.history_title):
            widget.setVisible(bool(lines))

    def _show_reader(self, name: str) -> None:
        self.reader.setText(f"Reader: {breakable(plain(name))}")

    def edit_note(self) -> None:
        """Put the cursor into the note."""
        self.note.setFocus()
        self.note.selectAll()

    # --- slots ---------------------------------------------------------------------------------------------

    def _clicked(self, verdict: Verdict) -> None:
        # The click has toggled the button; it must show what is stored, not what was clicked.
        self.buttons[verdict].setChecked(self._is_mine(verdict))
        self.verdict_given.emit(verdict)

    @Slot(QListWidgetItem)
    def _region_clicked(self, item: QListWidgetItem) -> None:
        self.region_chosen.emit(item.data(Qt.ItemDataRole.UserRole))


def _plain_label(*, bold: bool = False) -> QLabel:
    label = PlainLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label.make_bold() if bold else label
