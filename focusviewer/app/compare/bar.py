"""The line above the picture while two pictures are compared."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QWidget,
)

from focusviewer.app.compare.views import FLICKER_HZ, Content, Way
from focusviewer.app.widgets.common import ElidedLabel
from focusviewer.app.widgets.theme import bind_icon

TEXTS: dict[Way, tuple[str, str]] = {
    "off": ("", ""),
    "wipe": ("Wipe", "Left of the line the scan, right of it the refocused picture. Drag the line, or Shift + ← →."),
    "split": ("Split", ""),
    "flicker": ("Flicker", "Scan and refocused picture in turn."),
}
NOTHING = "Nothing to compare yet: switch Refocus on (R), zoom in and turn the knob."


class CompareBar(QWidget):
    """Says how pictures are compared, and holds what can be set about it.

    Signals
    -------
    content_chosen : (key) what the second picture shall show
    linked : (on) whether the two pictures move together
    rate_changed : (Hz) changes of picture a second
    closed : compare no more
    """

    content_chosen = Signal(str)
    linked = Signal(bool)
    rate_changed = Signal(float)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._way: Way = "off"
        self.title = QLabel()
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.beside = QLabel("On the right:")
        self.content = QComboBox()
        self.content.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.content.setMaximumWidth(320)
        self.content.setAccessibleName("What the right picture shows")
        self.beside.setBuddy(self.content)
        self.link = QCheckBox("Move together")
        self.link.setToolTip("Pan and zoom both pictures as one (L)")
        self.link.setChecked(True)
        self.rate = QDoubleSpinBox()
        self.rate.setRange(*FLICKER_HZ)
        self.rate.setSingleStep(0.5)
        self.rate.setDecimals(1)
        self.rate.setSuffix(" changes a second")
        self.rate.setValue(1.5)
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
        for widget in (self.title, self.beside, self.content, self.link, self.rate):
            layout.addWidget(widget)
        layout.addWidget(self.text, 1)
        layout.addWidget(close, alignment=Qt.AlignmentFlag.AlignRight)
        self.content.activated.connect(self._chosen)
        self.link.toggled.connect(self.linked)
        self.rate.valueChanged.connect(self.rate_changed)
        close.clicked.connect(self.closed)
        self.show_way("off")

    def show_way(self, way: Way) -> None:
        """Show the controls of a way to compare; of ``off`` nothing at all."""
        self._way = way
        self.title.setText(TEXTS[way][0])
        for widget in (self.beside, self.content, self.link):
            widget.setVisible(way == "split")
        self.rate.setVisible(way == "flicker")
        self.setVisible(way != "off")

    def show_contents(self, found: list[Content], key: str) -> None:
        """List what the second picture can show."""
        self.content.blockSignals(True)
        self.content.clear()
        for item in found:
            self.content.addItem(item.text, item.key)
        self.content.setCurrentIndex(max(0, self.content.findData(key)))
        self.content.blockSignals(False)

    def show_state(self, anything: bool) -> None:
        """Say whether there is anything to compare."""
        text = TEXTS[self._way][1] if anything else NOTHING
        self.text.setText(text)
        self.text.setToolTip(text)

    @Slot()
    def _chosen(self) -> None:
        self.content_chosen.emit(self.content.currentData())
