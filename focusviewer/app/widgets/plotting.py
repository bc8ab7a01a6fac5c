"""Loading the plotting library for the states of the window; see :mod:`focusviewer.app.widgets.plots`."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QTimer


class PlottingState(Protocol):
    """A state that says whether plots can be drawn."""

    can_plot: bool


def load_plots(state: PlottingState) -> None:
    """Import the plotting library when the events that wait are done; then ``can_plot`` is true.

    It takes one to two tenths of a second, once, and must be on the Qt thread: while it is imported, pyqtgraph looks at
    every class of Qt. PySide makes a class at the first look, and crashes when another thread does so meanwhile.
    """
    if not state.can_plot:
        QTimer.singleShot(0, lambda: _import_plots(state))


def _import_plots(state: PlottingState) -> None:
    from focusviewer.app.widgets import plots  # noqa: F401

    state.can_plot = True
