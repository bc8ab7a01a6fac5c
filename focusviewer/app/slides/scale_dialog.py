"""The dialog that asks how large a pixel is, and how far the planes of a stack lie apart."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.common import hint
from focusviewer.app.widgets.dialogs import button_row
from focusviewer.slides import PLAUSIBLE_MPP, mpp_from_power


@dataclass(frozen=True)
class ScaleAnswer:
    """What the user said: um per pixel, and um between planes (None to leave them as they are)."""

    mpp: float
    z_step_um: float | None = None


class ScaleDialog(QDialog):
    """Asks the pixel size or the magnification, and the z step of a stack.

    Signals
    -------
    optics_requested : the optics of the scanner are wanted instead
    """

    optics_requested = Signal()

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Set scale")
        info = document.slide.info
        self.by_power = QRadioButton("Objective magnification")
        self.by_mpp = QRadioButton("Pixel size")
        group = QButtonGroup(self)
        group.addButton(self.by_power)
        group.addButton(self.by_mpp)
        self.power = QDoubleSpinBox()
        self.power.setRange(10 / PLAUSIBLE_MPP[1], 10 / PLAUSIBLE_MPP[0])
        self.power.setDecimals(1)
        self.power.setSuffix("×")
        self.power.setValue(info.objective_power or (10 / info.mpp if info.mpp else 40.0))
        self.mpp = QDoubleSpinBox()
        self.mpp.setDecimals(4)
        self.mpp.setSingleStep(0.01)
        self.mpp.setRange(*PLAUSIBLE_MPP)
        self.mpp.setSuffix(" µm per pixel")
        self.mpp.setValue(info.mpp or 0.25)
        self.z_step = QDoubleSpinBox()
        self.z_step.setDecimals(3)
        self.z_step.setRange(0.01, 50.0)
        self.z_step.setSingleStep(0.1)
        self.z_step.setSuffix(" µm between planes")
        planes = info.planes_um
        self._stack = len(planes) > 1
        self.z_step.setValue((planes[-1] - planes[0]) / (len(planes) - 1) if self._stack else 1.0)
        self._known_step = self.z_step.value() if info.z_step_known else None
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow(self.by_power, self.power)
        form.addRow(self.by_mpp, self.mpp)
        if self._stack:
            form.addRow("Stack", self.z_step)
        buttons = button_row(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.optics = buttons.addButton("Optics…", QDialogButtonBox.ButtonRole.ActionRole)
        self.optics.setToolTip("Measure the lens of this scanner, which refocusing works with")
        self.optics.setAutoDefault(False)
        self.optics.clicked.connect(self.optics_requested)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(14)
        layout.addWidget(PlainLabel(f"How large is a pixel of {document.name}?"))
        layout.addLayout(form)
        layout.addWidget(hint("It is remembered for this slide. A wrong scale gives wrong lengths and wrong focus."))
        layout.addWidget(buttons)
        self.by_mpp.toggled.connect(self._choose)
        (self.by_mpp if info.mpp else self.by_power).setChecked(True)
        self._choose()

    @Slot()
    def _choose(self) -> None:
        self.power.setEnabled(self.by_power.isChecked())
        self.mpp.setEnabled(self.by_mpp.isChecked())

    def answer(self) -> ScaleAnswer:
        """What was said."""
        mpp = self.mpp.value() if self.by_mpp.isChecked() else mpp_from_power(self.power.value())
        assert mpp is not None
        step = self.z_step.value()
        # Positions that the file states may be uneven or have another origin: they stay unless the step was changed.
        return ScaleAnswer(mpp, step if self._stack and step != self._known_step else None)
