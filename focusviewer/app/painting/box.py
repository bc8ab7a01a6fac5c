"""The part of the Refocus panel that holds the brush."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QSlider, QVBoxLayout, QWidget

from focusviewer.app.painting.state import RADIUS_UM, PaintingState
from focusviewer.app.services.binding import bind_value, follow
from focusviewer.app.widgets.common import button, hint, row
from focusviewer.app.widgets.fields import microns


class PaintBox(QWidget):
    """The brush that paints a focus map."""

    undo_requested = Signal()
    clear_requested = Signal()
    load_requested = Signal()
    save_requested = Signal()

    def __init__(self, state: PaintingState) -> None:
        super().__init__()
        self.text = hint(
            "The knob is the focus the brush paints. Drag over the picture to paint; the middle button moves it. "
            "What is not painted stays as scanned."
        )
        self.radius = microns(*RADIUS_UM, state.radius_um, 5.0, "Brush radius")
        self.radius.setToolTip("Larger and smaller: Ctrl + ] and Ctrl + [")
        self.softness = QSlider(Qt.Orientation.Horizontal)
        self.softness.setRange(0, 100)
        self.softness.setToolTip("How gently the border of a stroke passes into what is around it")
        self.softness.setAccessibleName("Softness of the brush")
        self.undo = button("Undo", "undo", "Take back the last stroke (U)")
        self.clear = button("Clear", "close", "Take back all strokes")
        self.load = button("Load…", "open", "Load a painted focus map")
        self.save = button("Save…", "save", "Save the painted focus map, also for “focusviewer refocus --map”")
        form = QFormLayout()
        form.addRow("Radius", self.radius)
        form.addRow("Softness", self.softness)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(form)
        layout.addLayout(row(self.undo, self.clear, 1))
        layout.addLayout(row(self.load, self.save, 1))
        bind_value(state, "radius_um", self.radius)
        bind_value(state, "softness", self.softness, per_unit=100)
        follow(state, "can_undo", self.undo.setEnabled)
        follow(state, "is_empty", self._show_empty)
        self.undo.clicked.connect(self.undo_requested)
        self.clear.clicked.connect(self.clear_requested)
        self.load.clicked.connect(self.load_requested)
        self.save.clicked.connect(self.save_requested)

    def _show_empty(self, is_empty: bool) -> None:
        self.clear.setEnabled(not is_empty)
        self.save.setEnabled(not is_empty)
