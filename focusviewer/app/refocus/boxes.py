"""Parts of the Refocus panel: the sweep, the planes to work from, the brush, and how far to trust the picture."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app.widgets.common import button, hint, row
from focusviewer.app.widgets.theme import bind_icon
from focusviewer.refocus.base import MAX_PLANES
from focusviewer.refocus.provenance import z_text

LIST_ROWS = 5


def tool(icon: str, tip: str, *, checkable: bool = False) -> QToolButton:
    """A small button with an icon only."""
    made = QToolButton()
    bind_icon(made, icon)
    made.setToolTip(tip)
    made.setAccessibleName(tip)
    made.setCheckable(checkable)
    return made


def microns(low: float, high: float, value: float, step: float, name: str) -> QDoubleSpinBox:
    """A field for a length."""
    made = QDoubleSpinBox()
    made.setRange(low, high)
    made.setDecimals(2 if step < 0.5 else 1)
    made.setSingleStep(step)
    made.setSuffix(" µm")
    made.setValue(value)
    made.setKeyboardTracking(False)
    made.setAccessibleName(name)
    return made


class SweepBox(QWidget):
    """Plays the focus from one end to the other and back."""

    played = Signal(bool)
    save_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.play = tool("play", "Sweep the focus there and back (T)", checkable=True)
        self.low = microns(-99.0, 99.0, -2.0, 0.5, "Sweep from")
        self.high = microns(-99.0, 99.0, 2.0, 0.5, "Sweep to")
        self.save = tool("save", "Save the sweep as GIF or WebP…")
        layout = row(self.play, self.low, QLabel("to"), self.high, 1, self.save)
        self.setLayout(layout)
        self.play.toggled.connect(self._played)
        self.save.clicked.connect(self.save_requested)

    def set_ends(self, low: float, high: float) -> None:
        """Begin and end within what the knob reaches."""
        for spin, value in ((self.low, low), (self.high, high)):
            spin.setValue(value)

    def set_playing(self, on: bool) -> None:
        """Show whether it plays, without telling."""
        self.play.blockSignals(True)
        self.play.setChecked(on)
        self.play.blockSignals(False)
        bind_icon(self.play, "stop" if on else "play")

    @Slot(bool)
    def _played(self, on: bool) -> None:
        bind_icon(self.play, "stop" if on else "play")
        self.played.emit(on)


class SourceBox(QWidget):
    """Which acquired planes a picture is made from: the nearest, or those that are checked."""

    chosen = Signal(object)  # tuple of int; empty: automatic

    def __init__(self) -> None:
        super().__init__()
        self.way = QComboBox()
        self.way.addItem("Nearest to the focus")
        self.way.addItem("Chosen by hand")
        self.way.setAccessibleName("Source planes")
        self.way.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.planes = QListWidget()
        self.planes.setAccessibleName("Acquired planes")
        self.planes.setToolTip("Check the planes to work from. Acquired planes are always shown as they are.")
        self.none = hint("Check at least one plane.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.way, self.planes, self.none):
            layout.addWidget(widget)
        self.way.currentIndexChanged.connect(self._tell)
        self.planes.itemChanged.connect(self._tell)
        self._show()

    def set_planes(self, planes_um: tuple[float, ...]) -> None:
        """List the planes of another slide, all checked that an engine can take."""
        for widget in (self.way, self.planes):
            widget.blockSignals(True)
        self.way.setCurrentIndex(0)
        self.planes.clear()
        for index, z_um in enumerate(planes_um):
            item = QListWidgetItem(f"Plane {index + 1}   {z_text(z_um)}")
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
            item.setCheckState(Qt.CheckState.Checked if index < MAX_PLANES else Qt.CheckState.Unchecked)
            self.planes.addItem(item)
        for widget in (self.way, self.planes):
            widget.blockSignals(False)
        height = self.planes.sizeHintForRow(0) if planes_um else 20
        self.planes.setFixedHeight(min(len(planes_um), LIST_ROWS) * height + 6)
        self._show()

    @property
    def checked(self) -> tuple[int, ...]:
        """Planes that are checked."""
        items = (self.planes.item(index) for index in range(self.planes.count()))
        return tuple(index for index, item in enumerate(items) if item.checkState() == Qt.CheckState.Checked)

    @property
    def by_hand(self) -> tuple[int, ...]:
        """Planes chosen by hand; empty for automatic."""
        return self.checked[:MAX_PLANES] if self.way.currentIndex() == 1 else ()

    def _show(self) -> None:
        by_hand = self.way.currentIndex() == 1
        self.planes.setVisible(by_hand)
        count = len(self.checked)
        too_many = f"{count} are checked; engines take {MAX_PLANES}, so the first {MAX_PLANES} are used."
        self.none.setText(too_many if count > MAX_PLANES else "Check at least one plane: until then the nearest work.")
        self.none.setVisible(by_hand and not 0 < count <= MAX_PLANES)

    @Slot()
    def _tell(self) -> None:
        self._show()
        self.chosen.emit(self.by_hand)


class PaintBox(QWidget):
    """The brush that paints a focus map."""

    undo_requested = Signal()
    clear_requested = Signal()
    load_requested = Signal()
    save_requested = Signal()
    brush_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = hint(
            "The knob is the focus the brush paints. Drag over the picture to paint; the middle button moves it. "
            "What is not painted stays as scanned."
        )
        self.radius = microns(1.0, 500.0, 20.0, 5.0, "Brush radius")
        self.radius.setToolTip("Larger and smaller: Ctrl + ] and Ctrl + [")
        self.softness = QSlider(Qt.Orientation.Horizontal)
        self.softness.setRange(0, 100)
        self.softness.setValue(50)
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
        self.radius.valueChanged.connect(self.brush_changed)
        self.softness.valueChanged.connect(self.brush_changed)
        self.undo.clicked.connect(self.undo_requested)
        self.clear.clicked.connect(self.clear_requested)
        self.load.clicked.connect(self.load_requested)
        self.save.clicked.connect(self.save_requested)

    def show_strokes(self, count: int, is_empty: bool) -> None:
        """Enable what makes sense with so many strokes, and with something painted or nothing."""
        self.undo.setEnabled(count > 0)
        self.clear.setEnabled(not is_empty)
        self.save.setEnabled(not is_empty)


class TrustBox(QWidget):
    """How far the scan bears out the picture, in words, and the switch of the map that shows it."""

    toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.switch = QCheckBox("Show what the scan does not bear out")
        self.switch.setToolTip(
            "The picture, blurred back by the known optics, should give the scan again. "
            "Turquoise places do not: mistrust them. (E)"
        )
        self.line = QLabel()
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
        self.switch.toggled.connect(self.toggled)
        self.show_line("")

    def show_line(self, text: str) -> None:
        """Say how far the picture can be trusted."""
        self.line.setText(text)
        self.line.setVisible(bool(text))
