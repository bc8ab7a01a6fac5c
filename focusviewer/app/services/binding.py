"""Ties a widget to a field of a state: the state is the truth, the widget shows it and changes it.

States are plain data classes with psygnal events (``state.events.NAME``) that never see Qt. The helpers here keep one
of their fields and one widget equal in both directions; nothing else in the window needs to block signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox


class State(Protocol):
    """A data class with a psygnal ``SignalGroupDescriptor`` named ``events``."""

    @property
    def events(self) -> Any:
        """One signal for every field, emitted when its value has changed."""
        ...


@contextmanager
def signals_blocked(*objects: QObject) -> Iterator[None]:
    """Change widgets without any signal from them."""
    before = [(thing, thing.blockSignals(True)) for thing in objects]
    try:
        yield
    finally:
        for thing, was_blocked in before:
            thing.blockSignals(was_blocked)


def follow(state: State, name: str, show: Callable[[Any], object]) -> None:
    """Show a field now, and whenever it has changed."""
    getattr(state.events, name).connect(lambda value: show(value))
    show(getattr(state, name))


def bind_check(state: State, name: str, widget: QAbstractButton | QAction) -> None:
    """Keep a checkable widget and a field that is true or false equal."""

    def show(on: bool) -> None:
        with signals_blocked(widget):
            widget.setChecked(on)

    follow(state, name, show)
    widget.toggled.connect(lambda on: setattr(state, name, on))


def bind_value(
    state: State, name: str, widget: QAbstractSlider | QSpinBox | QDoubleSpinBox, per_unit: float | None = None
) -> None:
    """Keep a slider or a spin box and a number equal.

    Parameters
    ----------
    per_unit : float, optional
        Steps of a whole-number widget per unit of the field (100: per cent of a fraction).
    """

    def show(value: float) -> None:
        with signals_blocked(widget):
            widget.setValue(value if per_unit is None else round(value * per_unit))  # type: ignore[arg-type]
        if isinstance(widget, QAbstractSlider):
            widget.update()

    follow(state, name, show)
    widget.valueChanged.connect(lambda value: setattr(state, name, value if per_unit is None else value / per_unit))


def bind_choice(state: State, name: str, widget: QComboBox) -> None:
    """Keep a list to choose from and a field equal; the field holds the data of the item.

    A value that is not listed (yet) stays in the field. Call :func:`show_choice` after the list was filled.
    """
    follow(state, name, lambda value: show_choice(widget, value))

    def chosen(index: int) -> None:
        if index >= 0:
            setattr(state, name, widget.itemData(index))

    widget.currentIndexChanged.connect(chosen)


def show_choice(widget: QComboBox, value: Any) -> None:
    """Select an item of a list by its data, without a signal; where there is none, the selection stays."""
    index = widget.findData(value)
    if index >= 0:
        with signals_blocked(widget):
            widget.setCurrentIndex(index)


def bind_text(state: State, name: str, widget: QLineEdit) -> None:
    """Keep a line of text and a field equal."""

    def show(text: str) -> None:
        if widget.text() != text:
            with signals_blocked(widget):
                widget.setText(text)

    follow(state, name, show)
    widget.textChanged.connect(lambda text: setattr(state, name, text))
