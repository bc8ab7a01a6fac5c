"""Fields and small buttons that several panels are made of."""

from __future__ import annotations

from PySide6.QtWidgets import QDoubleSpinBox, QToolButton

from focusviewer.app.widgets.theme import bind_icon


def icon_button(icon: str, tip: str, *, checkable: bool = False) -> QToolButton:
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
