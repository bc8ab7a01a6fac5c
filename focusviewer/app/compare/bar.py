"""The line above the picture while two pictures are compared."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QToolButton,
    QWidget,
)

from focusviewer.app.compare.state import CompareState
from focusviewer.app.compare.views import FLICKER_HZ, CompareMode, Content
from focusviewer.app.services.binding import bind_check, bind_value, follow, show_choice, signals_blocked
from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.widgets.common import ElidedLabel
from focusviewer.app.widgets.theme import bind_icon

TEXTS: dict[CompareMode, tuple[str, str]] = {
    "off": ("", ""),
    "wipe": ("Wipe", "Left of the line the scan, right of it the refocused picture. Drag the line, or Shift + ← →."),
    "split": ("Split", ""),
    "flicker": ("Flicker", "Scan and refocused picture in turn."),
}
NOTHING = "Nothing to compare yet: switch Refocus on (R), zoom in and turn the knob."


class CompareBar(QWidget):
    """Says how pictures are compared, and holds the settings of the comparison."""

    def __init__(self, state: CompareState) -> None:
        super().__init__()
        self._state = state
        self.title = PlainLabel().make_bold()
        self.content_label = PlainLabel("On the right:")
        self.content = QComboBox()
        self.content.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.content.setMaximumWidth(320)
        self.content.setAccessibleName("What the right picture shows")
        self.content_label.setBuddy(self.content)
        self.link = QCheckBox("Move together")
        self.link.setToolTip("Pan and zoom both pictures as one (L)")
        self.rate = QDoubleSpinBox()
        self.rate.setRange(*FLICKER_HZ)
        self.rate.setSingleStep(0.5)
        self.rate.setDecimals(1)
        self.rate.setSuffix(" changes a second")
        self.rate.setAccessibleName("Changes of picture a second")
        self.text = ElidedLabel()
        self.text.setObjectName("hint")
        close = QToolButton()
        close.setAutoRaise(True)
        close.setToolTip("Compare no more (Shift+C)")
        bind_icon(close, "close")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.setSpacing(10)
        for widget in (self.title, self.content_label, self.content, self.link, self.rate):
            layout.addWidget(widget)
        layout.addWidget(self.text, 1)
        layout.addWidget(close, alignment=Qt.AlignmentFlag.AlignRight)
        self.content.activated.connect(self._chosen)
        bind_check(state, "linked", self.link)
        bind_value(state, "rate_hz", self.rate)
        close.clicked.connect(self._close)
        follow(state, "mode", self._show_mode)
        state.events.content.connect(self.show_content)

    def _show_mode(self, mode: CompareMode) -> None:
        """Show the controls of a mode; of ``off`` nothing at all."""
        self.title.setText(TEXTS[mode][0])
        for widget in (self.content_label, self.content, self.link):
            widget.setVisible(mode == "split")
        self.rate.setVisible(mode == "flicker")
        self.setVisible(mode != "off")

    def show_contents(self, found: list[Content], key: str) -> None:
        """List what the second picture can show."""
        with signals_blocked(self.content):
            self.content.clear()
            for item in found:
                self.content.addItem(item.text, item.key)
        self.show_content(key)

    def show_content(self, key: str) -> None:
        """Select what the second picture shows."""
        show_choice(self.content, key)

    def show_hint(self, anything: bool) -> None:
        """Say whether there is anything to compare."""
        text = TEXTS[self._state.mode][1] if anything else NOTHING
        self.text.setText(text)
        self.text.setToolTip(tooltip(text))

    @Slot()
    def _chosen(self) -> None:
        self._state.content = self.content.currentData()

    @Slot()
    def _close(self) -> None:
        self._state.mode = "off"
