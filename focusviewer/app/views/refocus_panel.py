"""The Refocus panel: turn the focus knob of what is on screen."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QSizePolicy, QWidget

from focusviewer.app.models.refocus import z_range
from focusviewer.app.views.widgets import FocusSlider, button, fill_choices, hint, panel_layout, row
from focusviewer.focus.base import ModelEntry


class RefocusPanel(QWidget):
    """Controls of the refocused view; knows nothing of slides or engines."""

    switched = Signal(bool)
    target_changed = Signal(float)
    auto_requested = Signal()
    all_in_focus_requested = Signal()
    engine_changed = Signal(str)
    scale_requested = Signal()
    save_requested = Signal()

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
        self.save.clicked.connect(self.save_requested)
        self._home = 0.0
        self.set_planes((0.0,), 0.0)
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
        self.high.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.spin = QDoubleSpinBox()
        self.spin.setDecimals(2)
        self.spin.setSingleStep(0.1)
        self.spin.setSuffix(" µm")
        self.spin.setKeyboardTracking(False)
        self.auto = button("Auto", "auto", "Sharpest focus of this view (A)")
        self.all_in_focus = button("All in focus", "layers", "Every part at its own best focus (Shift+A)")
        self.reset = button("Scan", "undo", "Back to the scanned pixels (Shift+R)")
        self.engine = QComboBox()
        self.engine.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.engine.setMinimumContentsLength(8)
        self.engine.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.state = hint()
        self.save = button("Save picture…", "save", "Save the refocused view as PNG or TIFF")
        layout = panel_layout(self)
        layout.addLayout(row(self.switch, 1, self.badge))
        layout.addWidget(self.reason)
        layout.addLayout(row(self.set_scale, 1))
        layout.addWidget(self.slider)
        middle = hint("focus")
        middle.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addLayout(row(self.low, middle, self.high))
        layout.addLayout(row(self.spin, self.auto, self.all_in_focus))
        form = QFormLayout()
        form.addRow("Engine", self.engine)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        layout.addLayout(form)
        layout.addWidget(self.state)
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

    def set_engines(self, entries: list[ModelEntry], wanted: str, default: str) -> None:
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
        for widget in (self.slider, self.spin, self.auto, self.all_in_focus, self.reset):
            widget.setEnabled(on)

    def set_state(self, text: str, *, synthesised: bool) -> None:
        """Say what is shown and what is being worked on."""
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.badge.setVisible(synthesised)
        self.save.setEnabled(synthesised)

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
    def _engine_chosen(self) -> None:
        self.engine_changed.emit(self.engine_name)
