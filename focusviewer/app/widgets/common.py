"""Small widgets the panels are made of."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.services.text import tr
from focusviewer.app.widgets.theme import bind_icon
from focusviewer.core.registry import AnyEntry

_FLAGS_ROLE = Qt.ItemDataRole.UserRole - 1  # where QStandardItem keeps its flags


def row(*items: QWidget | int, spacing: int = 6) -> QHBoxLayout:
    """A row of widgets; a number is a stretch factor."""
    layout = QHBoxLayout()
    layout.setSpacing(spacing)
    layout.setContentsMargins(0, 0, 0, 0)
    for item in items:
        if isinstance(item, int):
            layout.addStretch(item)
        else:
            layout.addWidget(item)
    return layout


def button(text: str, icon: str = "", tip: str = "") -> QPushButton:
    """A push button with a themed icon."""
    made = QPushButton(tr(text))
    if icon:
        bind_icon(made, icon)
    made.setToolTip(tr(tip))
    return made


def hint(text: str = "") -> QLabel:
    """A line of faint, wrapped text."""
    label = PlainLabel(tr(text))
    label.setObjectName("hint")
    label.setWordWrap(True)
    return label


class ElidedLabel(PlainLabel):
    """A line that takes the width it is given; what does not fit ends in dots."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint as much as fits."""
        rect = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, rect.width())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


class Section(QWidget):
    """A panel part with a header that folds it."""

    def __init__(self, title: str, content: QWidget, *, open_: bool = True) -> None:
        super().__init__()
        self.header = QToolButton()
        self.header.setObjectName("sectionHeader")
        self.header.setText(tr(title))
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setCheckable(True)
        self.header.setChecked(open_)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.toggled.connect(self._show_content)
        self.content = content
        line = QFrame()
        line.setObjectName("line")
        line.setFixedHeight(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(content)
        layout.addWidget(line)
        self._show_content(open_)

    @Slot(bool)
    def _show_content(self, open_: bool) -> None:
        self.content.setVisible(open_)
        bind_icon(self.header, "chevron-down" if open_ else "chevron-right")

    def unfold(self) -> None:
        """Open the section."""
        self.header.setChecked(True)

    def fold(self) -> None:
        """Close the section: only its header stays."""
        self.header.setChecked(False)


def panel_layout(widget: QWidget) -> QVBoxLayout:
    """The column every panel uses."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(12, 2, 12, 12)
    layout.setSpacing(8)
    layout.setSizeConstraint(QLayout.SizeConstraint.SetMinimumSize)
    return layout


def disable_choice(box: QComboBox, index: int, *, disabled: bool = True) -> None:
    """Show an item of a list that cannot be chosen, or can be again.

    It is disabled by its data, not by its item object: Qt deletes the item with the list, and Python's wrapper would
    outlive it.
    """
    box.setItemData(index, 0 if disabled else None, _FLAGS_ROLE)


def fill_choices(box: QComboBox, entries: Sequence[AnyEntry], chosen: str) -> None:
    """List models or engines; those whose weights are missing cannot be chosen by the user."""
    box.clear()
    for entry in entries:
        box.addItem(entry.name, entry.name)
        index = box.count() - 1
        box.setItemData(index, tooltip(entry.summary), Qt.ItemDataRole.ToolTipRole)
        if not entry.available:
            box.setItemText(index, f"{entry.name} (no weights)")
            disable_choice(box, index)
    box.setCurrentIndex(max(0, box.findData(chosen)))
