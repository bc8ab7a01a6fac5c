"""The Focal plane panel: the acquired planes of a stack."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QSlider, QToolButton, QWidget

from focusviewer.app.services.binding import signals_blocked
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.widgets.common import button, hint, panel_layout, row
from focusviewer.app.widgets.theme import bind_icon
from focusviewer.refocus.provenance import z_text


class PlanePanel(QWidget):
    """A slider over the planes, with their z."""

    plane_chosen = Signal(int)
    scale_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(1)
        self.slider.setPageStep(1)
        self.down, self.up = QToolButton(), QToolButton()
        bind_icon(self.down, "minus")
        bind_icon(self.up, "plus")
        self.down.setToolTip("Plane below ( [ )")
        self.up.setToolTip("Plane above ( ] )")
        for tool in (self.down, self.up):
            tool.setAutoRaise(True)
        self.text = PlainLabel()
        self.keys = hint("Ctrl + wheel, or the keys [ and ]")
        self.unknown = hint("The distance between the planes is not stated in the file.")
        self.set_step = button("Set z step…", "ruler")
        layout = panel_layout(self)
        layout.addWidget(self.text)
        layout.addLayout(row(self.down, self.slider, self.up))
        layout.addWidget(self.keys)
        layout.addWidget(self.unknown)
        layout.addLayout(row(self.set_step, 1))
        self.slider.valueChanged.connect(self.plane_chosen)
        self.down.clicked.connect(self._go_down)
        self.up.clicked.connect(self._go_up)
        self.set_step.clicked.connect(self.scale_requested)

    def show_planes(self, planes_um: tuple[float, ...], plane: int, z_known: bool) -> None:
        """Show the planes of a slide and which one is on screen."""
        with signals_blocked(self.slider):
            self.slider.setRange(0, len(planes_um) - 1)
            self.slider.setValue(plane)
        z = f", z = {z_text(planes_um[plane])}" if z_known else ""
        self.text.setText(f"Plane {plane + 1} of {len(planes_um)}{z}")
        self.unknown.setVisible(not z_known)
        self.set_step.setVisible(not z_known)

    @Slot()
    def _go_down(self) -> None:
        self.slider.setValue(self.slider.value() - 1)

    @Slot()
    def _go_up(self) -> None:
        self.slider.setValue(self.slider.value() + 1)
