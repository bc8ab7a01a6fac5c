"""Thresholds to try out, and what they would change."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QComboBox, QDoubleSpinBox, QSizePolicy, QSlider, QWidget

from focusviewer.app.services.binding import bind_choice, signals_blocked
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.widgets.common import button, hint, panel_layout, row
from focusviewer.app.worklist.thresholds.roc_view import RocView
from focusviewer.app.worklist.thresholds.state import ThresholdPreviewState
from focusviewer.app.worklist.thresholds.trial import ThresholdEffect, as_toml

STEPS = 400
THRESHOLDS = {  # name: words, largest, decimals
    "blurred_um": ("Blurred from (µm)", 8.0, 2),
    "rescan_blurred_fraction": ("RESCAN from blurred part", 1.0, 3),
    "rescan_region_mm2": ("RESCAN from region (mm²)", 10.0, 2),
    "rescan_region_fraction": ("RESCAN from region, part of tissue", 1.0, 3),
    "rescan_worst_decile_um": ("RESCAN from worst tenth (µm)", 8.0, 2),
    "review_blurred_fraction": ("REVIEW from blurred part", 1.0, 3),
    "review_region_mm2": ("REVIEW from region (mm²)", 10.0, 2),
    "review_worst_decile_um": ("REVIEW from worst tenth (µm)", 8.0, 2),
    "rescan_cannot_tell_fraction": ("RESCAN from part not judgeable", 1.0, 3),
    "review_cannot_tell_fraction": ("REVIEW from part not judgeable", 1.0, 3),
    "review_unreadable_fraction": ("REVIEW from unreadable part", 1.0, 3),
    "review_least_tissue_mm2": ("REVIEW below tissue (mm²)", 10.0, 2),
}


class ThresholdPanel(QWidget):
    """One slider for the threshold that is chosen; several may be moved one after the other."""

    rules_wanted = Signal()

    def __init__(self, state: ThresholdPreviewState) -> None:
        super().__init__()
        self._state = state
        self.name = QComboBox()
        self.name.setAccessibleName("Threshold to move")
        for name, (words, _, _) in THRESHOLDS.items():
            self.name.addItem(words, name)
        self.name.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.name.setMinimumContentsLength(10)
        self.name.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setAccessibleName("Value of the threshold")
        self.value = QDoubleSpinBox()
        self.value.setKeyboardTracking(False)
        self.value.setFixedWidth(84)
        self.named = hint()
        self.moved = hint()
        self.effect = PlainLabel()
        self.effect.setWordWrap(True)
        self.reset = button("Reset", "undo", "Back to the rules as they are")
        self.load = button("Load rules…", "folder", "Start from a file of rules, and see what it would change")
        self.copy = button("Copy as rules", "save", "Copy the moved thresholds for a rules file")
        self.roc = RocView(state)
        self._lay_out()
        self._connect()
        self._show_rules()

    def _lay_out(self) -> None:
        layout = panel_layout(self)
        layout.addWidget(self.named)
        layout.addWidget(self.name)
        layout.addLayout(row(self.slider, self.value))
        layout.addWidget(self.moved)
        layout.addWidget(self.effect)
        layout.addLayout(row(self.load, self.reset, 1))
        layout.addLayout(row(self.copy, 1))
        layout.addWidget(self.roc)

    def _connect(self) -> None:
        state = self._state
        bind_choice(state, "threshold", self.name)
        self.slider.valueChanged.connect(self._slid)
        self.value.valueChanged.connect(state.move)
        self.reset.clicked.connect(lambda: state.reset())
        self.load.clicked.connect(self.rules_wanted)
        self.copy.clicked.connect(self._copy)
        for event in (state.events.rules, state.events.loaded):
            event.connect(self._show_rules)
        state.events.threshold.connect(self._show_threshold)
        state.events.changes.connect(self._show_changes)
        for event in (state.events.waiting, state.events.effect):
            event.connect(self._show_effect)

    # --- what is shown -------------------------------------------------------------------------------------

    def _show_rules(self) -> None:
        rules = self._state.rules
        self.setEnabled(rules is not None)
        self.named.setText("" if rules is None else f"Rules: {rules.label}")
        self.named.setVisible(self._state.loaded)
        self._show_threshold()
        self._show_effect()

    def _show_threshold(self) -> None:
        _, largest, decimals = THRESHOLDS[self._state.threshold]
        with signals_blocked(self.value):
            self.value.setDecimals(decimals)
            self.value.setRange(0.0, largest)
            self.value.setSingleStep(largest / STEPS * 4)
        self._show_value()

    def _show_changes(self) -> None:
        self._show_value()
        self._show_effect()

    def _show_value(self) -> None:
        with signals_blocked(self.slider, self.value):
            self.value.setValue(self._state.value)
            self.slider.setValue(round(STEPS * self._state.value / self.value.maximum()))
        self.slider.update()

    def _show_effect(self) -> None:
        state, changes = self._state, self._state.changes
        self.moved.setText("   ".join(f"{THRESHOLDS[name][0]}: {value:g}" for name, value in changes.items()))
        self.moved.setVisible(len(changes) > 1)
        self.reset.setEnabled(state.tries_something)
        self.copy.setEnabled(bool(changes))
        if not state.tries_something:
            self.effect.setText("Move a threshold to see which verdicts change.")
        elif state.waiting or state.effect is None:
            self.effect.setText("Judging again…")
        else:
            self.effect.setText(effect_text(state.effect))

    # --- slots ---------------------------------------------------------------------------------------------

    @Slot(int)
    def _slid(self, steps: int) -> None:
        self.value.setValue(steps / STEPS * self.value.maximum())

    @Slot()
    def _copy(self) -> None:
        QApplication.clipboard().setText(as_toml(self._state.changes))


def effect_text(effect: ThresholdEffect) -> str:
    """What would change, in words."""
    count = len(effect.moved)
    text = f"{count} of {effect.judged} verdicts of the program would change" + ("." if not count else ":")
    for (old, new), number in sorted(effect.steps.items(), key=lambda item: -item[1]):
        text += f"\n    {number} × {old.value} → {new.value}"
    if effect.missing:
        text += f"\n{effect.missing} slides stay out: their maps cannot be read."
    if effect.other_rules:
        text += f"\nJudged with other rules ({effect.other_rules}); some of the change is due to that."
    return text + "\nNothing is written."
