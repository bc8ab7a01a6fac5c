"""Thresholds to try out, and what they would change."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QApplication, QComboBox, QDoubleSpinBox, QLabel, QSizePolicy, QSlider, QWidget

from focusviewer.app.models.worklist_preview import Preview, as_toml
from focusviewer.app.views.widgets import button, hint, panel_layout, row
from focusviewer.qc.verdicts.rules import Rules

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


class WorklistPreviewPanel(QWidget):
    """One slider for the threshold that is chosen; several may be moved one after the other."""

    changes_made = Signal(object)  # dict of threshold to value; empty: as the rules have them
    rules_wanted = Signal()
    reset_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[str, float] = {}
        self._rules: Rules | None = None
        self._loaded = False  # rules of the user's, whose own effect is of interest
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
        self.effect = QLabel()
        self.effect.setWordWrap(True)
        self.effect.setTextFormat(Qt.TextFormat.PlainText)
        self.reset = button("Reset", "undo", "Back to the rules as they are")
        self.load = button("Load rules…", "folder", "Start from a file of rules, and see what it would change")
        self.copy = button("Copy as rules", "save", "Copy the moved thresholds for a rules file")
        layout = panel_layout(self)
        layout.addWidget(self.named)
        layout.addWidget(self.name)
        layout.addLayout(row(self.slider, self.value))
        layout.addWidget(self.moved)
        layout.addWidget(self.effect)
        layout.addLayout(row(self.load, self.reset, 1))
        layout.addLayout(row(self.copy, 1))
        self.name.currentIndexChanged.connect(self._chosen)
        self.slider.valueChanged.connect(self._slid)
        self.value.valueChanged.connect(self._typed)
        self.reset.clicked.connect(self.reset_wanted)
        self.load.clicked.connect(self.rules_wanted)
        self.copy.clicked.connect(self._copy)
        self.setEnabled(False)
        self.show_preview(None)

    def set_rules(self, rules: Rules, *, loaded: bool = False) -> None:
        """The rules that the thresholds are moved away from; ``loaded`` when the user has chosen them."""
        self._rules, self._loaded, self.changes = rules, loaded, {}
        self.named.setText(f"Rules: {rules.label}")
        self.named.setVisible(loaded)
        self.setEnabled(True)
        self._chosen()
        self.show_preview(None)

    def show_preview(self, preview: Preview | None) -> None:
        """Tell what would change."""
        named = {name: THRESHOLDS[name] for name in self.changes}
        self.moved.setText("   ".join(f"{words}: {self.changes[name]:g}" for name, (words, _, _) in named.items()))
        self.moved.setVisible(len(named) > 1)
        tried = bool(self.changes) or self._loaded
        self.reset.setEnabled(tried)
        self.copy.setEnabled(bool(self.changes))
        self.effect.setText(effect_text(preview) if tried else "Move a threshold to see which verdicts change.")

    @Slot()
    def clear(self) -> None:
        """Back to the rules, thresholds as they have them."""
        self.changes = {}
        self._chosen()
        self.show_preview(None)
        self.changes_made.emit({})

    @Slot()
    def _chosen(self) -> None:
        if self._rules is None:
            return
        name = self.name.currentData()
        _, largest, decimals = THRESHOLDS[name]
        for widget in (self.slider, self.value):
            widget.blockSignals(True)
        self.value.setDecimals(decimals)
        self.value.setRange(0.0, largest)
        self.value.setSingleStep(largest / STEPS * 4)
        value = self.changes.get(name, float(getattr(self._rules.thresholds, name)))
        self.value.setValue(value)
        self.slider.setValue(round(STEPS * value / largest))
        for widget in (self.slider, self.value):
            widget.blockSignals(False)

    @Slot(int)
    def _slid(self, steps: int) -> None:
        self.value.setValue(steps / STEPS * self.value.maximum())

    @Slot(float)
    def _typed(self, value: float) -> None:
        if self._rules is None:
            return
        self.slider.blockSignals(True)
        self.slider.setValue(round(STEPS * value / self.value.maximum()))
        self.slider.blockSignals(False)
        name = self.name.currentData()
        self.changes.pop(name, None)
        if abs(value - getattr(self._rules.thresholds, name)) > 1e-9:
            self.changes[name] = value
        self.show_preview(None)
        self.changes_made.emit(dict(self.changes))

    @Slot()
    def _copy(self) -> None:
        QApplication.clipboard().setText(as_toml(self.changes))


def effect_text(preview: Preview | None) -> str:
    """What would change, in words."""
    if preview is None:
        return "Judging again…"
    count = len(preview.moved)
    text = f"{count} of {preview.judged} verdicts of the program would change" + ("." if not count else ":")
    for (old, new), number in sorted(preview.steps.items(), key=lambda item: -item[1]):
        text += f"\n    {number} × {old.value} → {new.value}"
    if preview.missing:
        text += f"\n{preview.missing} slides stay out: their maps cannot be read."
    if preview.other_rules:
        text += f"\nJudged with other rules ({preview.other_rules}); some of the change is due to that."
    return text + "\nNothing is written."
