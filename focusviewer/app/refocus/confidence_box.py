"""The part of the Refocus panel that says how well the picture agrees with the scan."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QSizePolicy, QVBoxLayout, QWidget

from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.services.binding import bind_check, follow
from focusviewer.app.services.plain import PlainLabel


class ConfidenceBox(QWidget):
    """How well the picture agrees with the scan, in words, and the switch of the map that shows it."""

    def __init__(self, state: RefocusState) -> None:
        super().__init__()
        self.switch = QCheckBox("Show what the scan does not bear out")
        self.switch.setToolTip(
            "The picture, blurred back by the known optics, should give the scan again. "
            "Turquoise places do not: mistrust them. (E)"
        )
        self.line = PlainLabel()
        self.line.setObjectName("stat")
        self.line.setWordWrap(True)
        self.line.setToolTip(
            "Re-blur consistency: how well the picture, blurred back by the known optics, gives the scan again. "
            "Residual energy: how much of the change is not made by known optics. "
            "Empty glass: the largest change where there is nothing (gray levels of 255)."
        )
        self.line.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.switch)
        layout.addWidget(self.line)
        bind_check(state, "confidence_shown", self.switch)
        follow(state, "confidence", self._show_line)

    def _show_line(self, text: str) -> None:
        self.line.setText(text)
        self.line.setVisible(bool(text))
