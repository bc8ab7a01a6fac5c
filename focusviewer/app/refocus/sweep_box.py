"""The part of the Refocus panel that plays the focus."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.services.binding import bind_check, bind_value, follow
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.widgets.common import row
from focusviewer.app.widgets.fields import icon_button, microns
from focusviewer.app.widgets.theme import bind_icon


class SweepBox(QWidget):
    """Plays the focus from one end to the other and back."""

    save_requested = Signal()

    def __init__(self, state: RefocusState) -> None:
        super().__init__()
        self.play = icon_button("play", "Sweep the focus there and back (T)", checkable=True)
        self.low = microns(-99.0, 99.0, state.sweep_low_um, 0.5, "Sweep from")
        self.high = microns(-99.0, 99.0, state.sweep_high_um, 0.5, "Sweep to")
        self.save = icon_button("save", "Save the sweep as GIF or WebP…")
        layout = row(self.play, self.low, PlainLabel("to"), self.high, 1, self.save)
        self.setLayout(layout)
        bind_value(state, "sweep_low_um", self.low)
        bind_value(state, "sweep_high_um", self.high)
        bind_check(state, "playing", self.play)
        follow(state, "playing", self._show_icon)
        self.save.clicked.connect(self.save_requested)

    def _show_icon(self, playing: bool) -> None:
        bind_icon(self.play, "stop" if playing else "play")
