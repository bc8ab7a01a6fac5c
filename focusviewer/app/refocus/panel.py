"""The Refocus panel: turn the focus knob of what is on screen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QMenu, QSizePolicy, QWidget

from focusviewer.app.refocus.area import MODES
from focusviewer.app.refocus.confidence_box import ConfidenceBox
from focusviewer.app.refocus.slider import FocusSlider
from focusviewer.app.refocus.sources_box import SourcesBox
from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.refocus.sweep_box import SweepBox
from focusviewer.app.services.binding import bind_check, bind_choice, follow, show_choice, signals_blocked
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.widgets.common import button, disable_choice, fill_choices, hint, panel_layout, row
from focusviewer.core.registry import AnyEntry

ASSUMED_TIP = (
    "How far the tissue is taken to lie from focus, in µm: turn until the picture looks right. Too far, and it is "
    "overdone; below 0 it is blurred. The bar is Auto's best guess with its range."
)


def _choice(name: str) -> QComboBox:
    """A list to choose from that leaves the panel its width."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


class RefocusPanel(QWidget):
    """Shows the state and changes it; knows nothing of slides or engines.

    Signals
    -------
    mode_requested : (mode) also emitted when the present mode is chosen again
    scale_requested : the user wants to give the slide a scale
    """

    mode_requested = Signal(str)
    auto_requested = Signal()
    all_in_focus_requested = Signal()
    scale_requested = Signal()

    def __init__(self, state: RefocusState) -> None:
        super().__init__()
        self._state = state
        self._build()
        self._bind()

    def _build(self) -> None:
        self.switch = QCheckBox("Refocus what is on screen")
        self.switch.setToolTip("R")
        self.badge = PlainLabel("synthesised")
        self.badge.setObjectName("badge")
        self.badge.setToolTip("These pixels are computed, not scanned. They may show detail that is not there.")
        self.reason = hint()
        self.set_scale = button("Set scale…", "ruler")
        self.slider = FocusSlider()
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
        self.sweep, self.sources = SweepBox(self._state), SourcesBox(self._state)
        self.confidence = ConfidenceBox(self._state)
        self.paint: QWidget | None = None
        self.status = hint()
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing())  # what is below stays where it is
        self.status.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.save = button("Save", "save", "Save the refocused picture, a sweep of the focus, or a larger region")
        layout = self._column = panel_layout(self)
        layout.addLayout(row(self.switch, 1, self.badge))
        layout.addWidget(self.reason)
        layout.addLayout(row(self.set_scale, 1))
        form = QFormLayout()
        form.addRow("Mode", self.mode)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        layout.addLayout(form)
        layout.addWidget(self.slider)
        self.meaning = hint("focus")
        self.meaning.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addLayout(row(self.low, self.meaning, self.high))
        layout.addLayout(row(self.spin, self.auto, self.all_in_focus))
        layout.addWidget(self.status)  # next to the knob, which it explains: further down it would be out of sight
        layout.addWidget(self.sweep)
        more = QFormLayout()
        self.sources_label = PlainLabel("Planes")
        more.addRow("Engine", self.engine)
        more.addRow(self.sources_label, self.sources)
        more.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        layout.addLayout(more)
        layout.addWidget(self.confidence)
        layout.addLayout(row(self.reset, 1, self.save))

    def _bind(self) -> None:
        state = self._state
        bind_check(state, "is_on", self.switch)
        bind_choice(state, "engine", self.engine)
        follow(state, "engines", self._list_engines)
        follow(state, "planes_um", self._show_planes)
        follow(state, "target_um", self._show_target)
        follow(state, "mode", self._show_mode)
        follow(state, "obstacle", self._show_obstacle)
        follow(state, "offers_scale", self.set_scale.setVisible)
        follow(state, "guess_um", self._show_guess)
        state.events.likely_um.connect(self._show_guess)
        follow(state, "status", self._show_status)
        follow(state, "synthesised", self.badge.setVisible)
        follow(state, "offers_all_in_focus", self._show_offer)
        state.events.is_on.connect(self._enable)
        self.slider.moved_um.connect(self._turned)
        self.spin.valueChanged.connect(self._turned)
        self.reset.clicked.connect(self._reset)
        self.mode.activated.connect(self._mode_chosen)
        self.auto.clicked.connect(self.auto_requested)
        self.all_in_focus.clicked.connect(self.all_in_focus_requested)
        self.set_scale.clicked.connect(self.scale_requested)

    def set_paint_box(self, box: QWidget) -> None:
        """Show these controls while the mode is to paint."""
        self.paint = box
        self._column.insertWidget(self._column.indexOf(self.sweep), box)
        self._show_mode(self._state.mode)
        self._enable()

    def set_save_menu(self, actions: list[QAction]) -> None:
        """Offer these commands under the Save button."""
        menu = QMenu(self.save)
        menu.addActions(actions)
        self.save.setMenu(menu)

    # --- what is shown -------------------------------------------------------------------------------------

    def _list_engines(self, engines: Sequence[AnyEntry]) -> None:
        with signals_blocked(self.engine):
            fill_choices(self.engine, engines, self._state.engine)

    def _show_planes(self, planes_um: tuple[float, ...]) -> None:
        low, high = self._state.range_um
        self.slider.set_range_um(low, high)
        self.slider.set_marks(planes_um)
        with signals_blocked(self.spin):
            self.spin.setRange(low, high)
        self._show_target(self._state.target_um)
        disable_choice(self.mode, self.mode.findData("assume"), disabled=len(planes_um) != 1)
        self.low.setText(f"{low:+g}".replace("-", "−"))
        self.high.setText(f"{high:+g}")
        for widget in (self.sources_label, self.sources):
            widget.setVisible(len(planes_um) > 1)

    def _show_target(self, z_um: float) -> None:
        self.slider.set_value_um(z_um)
        with signals_blocked(self.spin):
            self.spin.setValue(z_um)

    def _show_mode(self, mode: str) -> None:
        show_choice(self.mode, mode)
        if self.paint is not None:
            self.paint.setVisible(mode == "paint")
        self.sweep.setVisible(mode != "paint")
        assumed = mode == "assume"
        self.meaning.setText("assumed distance from focus" if assumed else "focus")
        self.slider.setToolTip(ASSUMED_TIP if assumed else "Focus in µm. The marks are acquired planes.")

    def _show_guess(self, *_changed: object) -> None:
        self.slider.set_guess(self._state.guess_um, self._state.likely_um)

    def _show_obstacle(self, reason: str) -> None:
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self._enable()

    def _enable(self) -> None:
        knob = (self.slider, self.spin, self.auto, self.all_in_focus, self.reset)
        boxes = (self.sweep, self.sources, self.confidence, *((self.paint,) if self.paint is not None else ()))
        for widget in (*knob, *boxes, self.mode, self.save):
            widget.setEnabled(self._state.can_refocus)

    def _show_offer(self, offered: bool) -> None:
        """Set the button off that the status line speaks of."""
        font = self.all_in_focus.font()
        font.setBold(offered)
        self.all_in_focus.setFont(font)

    def _show_status(self, text: str) -> None:
        self.status.setText(text)
        self.status.setVisible(bool(text))

    # --- what the user does --------------------------------------------------------------------------------

    @Slot(float)
    def _turned(self, z_um: float) -> None:
        self._state.turn(z_um)
        self._show_target(self._state.target_um)  # which may be where it was, on the knob's grid

    @Slot()
    def _reset(self) -> None:
        self._state.show_scan()

    @Slot(int)
    def _mode_chosen(self, index: int) -> None:
        self.mode_requested.emit(self.mode.itemData(index))
