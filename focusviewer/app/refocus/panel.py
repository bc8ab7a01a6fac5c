"""The Refocus panel: turn the focus knob of what is on screen."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QMenu, QSizePolicy, QWidget

from focusviewer.app.refocus.area import MODES, z_range
from focusviewer.app.refocus.boxes import PaintBox, SourceBox, SweepBox, TrustBox
from focusviewer.app.refocus.slider import FocusSlider
from focusviewer.app.widgets.common import button, fill_choices, hint, panel_layout, row
from focusviewer.core.registry import AnyEntry

SWEEP_UM = 2.0
"""How far a sweep goes either way, unless the user says otherwise."""


def _choice(name: str) -> QComboBox:
    """A list to choose from that leaves the panel its width."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


class RefocusPanel(QWidget):
    """Controls of the refocused view; knows nothing of slides or engines."""

    switched = Signal(bool)
    target_changed = Signal(float)
    auto_requested = Signal()
    all_in_focus_requested = Signal()
    engine_changed = Signal(str)
    mode_changed = Signal(str)
    sources_changed = Signal(object)  # planes chosen by hand, or an empty tuple
    scale_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._build()
        self.switch.toggled.connect(self._switch)
        self.slider.moved_um.connect(self._slider_moved)
        self.spin.valueChanged.connect(self._spin_changed)
        self.auto.clicked.connect(self.auto_requested)
        self.all_in_focus.clicked.connect(self.all_in_focus_requested)
        self.reset.clicked.connect(self._reset)
        self.engine.currentIndexChanged.connect(self._engine_chosen)
        self.set_scale.clicked.connect(self.scale_requested)
        self.mode.activated.connect(self._mode_chosen)
        self.sources.chosen.connect(self.sources_changed)
        self._home = 0.0
        self.set_planes((0.0,), 0.0)
        self.show_mode("refocus")
        self.set_obstacle("Open a slide first.", offer_scale=False)
        self.set_state("", synthesised=False)

    def _build(self) -> None:
        self.switch = QCheckBox("Refocus what is on screen")
        self.switch.setToolTip("R")
        self.badge = QLabel("synthesised")
        self.badge.setObjectName("badge")
        self.badge.setToolTip("These pixels are computed, not scanned. They may show detail that is not there.")
        self.reason = hint()
        self.set_scale = button("Set scale…", "ruler")
        self.slider = FocusSlider()
        self.slider.setToolTip("Focus in µm. The marks are acquired planes.")
        self.low, self.high = hint("−4"), hint("+4")
        self.high.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.spin = QDoubleSpinBox()
        self.spin.setDecimals(2)
        self.spin.setSingleStep(0.1)
        self.spin.setSuffix(" µm")
        self.spin.setKeyboardTracking(False)
        self.auto = button("Auto", "auto", "Sharpest focus of this view (A)")
        self.all_in_focus = button("All in focus", "layers", "Every part at its own best focus (Shift+A)")
        self.reset = button("Scan", "undo", "Back to the scanned pixels (Shift+R)")
        self.mode, self.engine = _choice("Mode"), _choice("Engine")
        for name, text in MODES.items():
            self.mode.addItem(text, name)
        self.paint, self.sweep, self.sources, self.trust = PaintBox(), SweepBox(), SourceBox(), TrustBox()
        self.state = hint()
        self.state.setMinimumHeight(2 * self.state.fontMetrics().lineSpacing())  # what is below stays where it is
        self.state.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.save = button("Save", "save", "Save the refocused picture, a sweep of the focus, or a larger region")
        layout = panel_layout(self)
        layout.addLayout(row(self.switch, 1, self.badge))
        layout.addWidget(self.reason)
        layout.addLayout(row(self.set_scale, 1))
        form = QFormLayout()
        form.addRow("Mode", self.mode)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        layout.addLayout(form)
        layout.addWidget(self.slider)
        middle = hint("focus")
        middle.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addLayout(row(self.low, middle, self.high))
        layout.addLayout(row(self.spin, self.auto, self.all_in_focus))
        layout.addWidget(self.state)  # beside the knob, which it explains: further down it is out of sight
        layout.addWidget(self.paint)
        layout.addWidget(self.sweep)
        more = QFormLayout()
        self.sources_label = QLabel("Planes")
        more.addRow("Engine", self.engine)
        more.addRow(self.sources_label, self.sources)
        more.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        layout.addLayout(more)
        layout.addWidget(self.trust)
        layout.addLayout(row(self.reset, 1, self.save))

    # --- state ---------------------------------------------------------------------------------------------

    @property
    def target_um(self) -> float:
        """Focus that is asked for."""
        return self.slider.value_um()

    @property
    def engine_name(self) -> str:
        """The engine that is chosen."""
        return self.engine.currentData() or ""

    def set_engines(self, entries: list[AnyEntry], wanted: str, default: str) -> None:
        """Fill the list of engines; those whose weights are missing cannot be chosen."""
        self.engine.blockSignals(True)
        fill_choices(self.engine, entries, wanted, default)
        self.engine.blockSignals(False)

    def set_planes(self, planes_um: tuple[float, ...], home_um: float) -> None:
        """Tell which planes were acquired and which of them is shown."""
        low, high = z_range(planes_um)
        self.slider.blockSignals(True)
        self.slider.set_range_um(low, high)
        self.slider.blockSignals(False)
        self.slider.set_marks(planes_um)
        self.spin.blockSignals(True)
        self.spin.setRange(low, high)
        self.spin.blockSignals(False)
        self.low.setText(f"{low:+g}".replace("-", "−"))
        self.high.setText(f"{high:+g}")
        self._home = home_um
        self.set_target(home_um)
        self.sweep.set_ends(max(low, home_um - SWEEP_UM), min(high, home_um + SWEEP_UM))
        self.sources.set_planes(planes_um)
        for widget in (self.sources_label, self.sources):
            widget.setVisible(len(planes_um) > 1)

    def set_home(self, home_um: float) -> None:
        """Another of the planes is shown: the knob stands there."""
        self._home = home_um
        self.set_target(home_um)

    def show_mode(self, mode: str) -> None:
        """Show a mode and its controls, without telling."""
        self.mode.setCurrentIndex(self.mode.findData(mode))
        self.paint.setVisible(mode == "paint")
        self.sweep.setVisible(mode != "paint")

    def set_save_menu(self, actions: list[QAction]) -> None:
        """Offer these commands under the Save button."""
        menu = QMenu(self.save)
        menu.addActions(actions)
        self.save.setMenu(menu)

    def set_target(self, z_um: float) -> None:
        """Move the knob without telling."""
        self.slider.set_value_um(z_um)
        self.spin.blockSignals(True)
        self.spin.setValue(self.slider.value_um())
        self.spin.blockSignals(False)

    def set_obstacle(self, reason: str, *, offer_scale: bool) -> None:
        """Say why the view cannot be refocused (empty: it can)."""
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self.set_scale.setVisible(offer_scale)
        on = self.switch.isChecked() and not reason
        knob = (self.slider, self.spin, self.auto, self.all_in_focus, self.reset)
        for widget in (*knob, self.mode, self.paint, self.sweep, self.sources, self.trust, self.save):
            widget.setEnabled(on)

    def set_state(self, text: str, *, synthesised: bool) -> None:
        """Say what is shown and what is being worked on."""
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.badge.setVisible(synthesised)

    # --- slots ---------------------------------------------------------------------------------------------

    @Slot(bool)
    def _switch(self, on: bool) -> None:
        self.switched.emit(on)

    @Slot(float)
    def _slider_moved(self, z_um: float) -> None:
        self.spin.blockSignals(True)
        self.spin.setValue(z_um)
        self.spin.blockSignals(False)
        self.target_changed.emit(z_um)

    @Slot(float)
    def _spin_changed(self, z_um: float) -> None:
        self.slider.set_value_um(z_um)
        self.target_changed.emit(self.target_um)

    @Slot()
    def _reset(self) -> None:
        self.set_target(self._home)
        self.target_changed.emit(self._home)

    @Slot()
    def _mode_chosen(self) -> None:
        self.mode_changed.emit(self.mode.currentData())

    @Slot()
    def _engine_chosen(self) -> None:
        self.engine_changed.emit(self.engine_name)
