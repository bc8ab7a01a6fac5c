"""The receiver operating characteristic in the panel: a plot, and what it says in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from focusviewer.app.services.binding import follow
from focusviewer.app.widgets.common import hint
from focusviewer.app.worklist.thresholds.roc import RocCurve
from focusviewer.app.worklist.thresholds.state import ThresholdPreviewState

if TYPE_CHECKING:
    from focusviewer.app.worklist.thresholds.roc_plot import RocPlot


class RocView(QWidget):
    """Holds the curve and its text; hidden while there is no curve.

    The plot itself is made when it is first seen and the plotting library is loaded.

    Signals
    -------
    plot_requested : it is on screen, and the plotting library is not loaded yet
    """

    plot_requested = Signal()

    def __init__(self, state: ThresholdPreviewState) -> None:
        super().__init__()
        self._state = state
        self.plot: RocPlot | None = None
        self.text = hint()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self.text, 1, Qt.AlignmentFlag.AlignTop)
        follow(state, "roc", self._show)
        state.events.can_plot.connect(self._draw)

    def _show(self, curve: RocCurve | None) -> None:
        self.text.setText("" if curve is None else roc_text(curve))
        self.setVisible(curve is not None)
        self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw the curve when it is to be seen."""
        super().showEvent(event)
        self._draw()

    def _draw(self) -> None:
        curve = self._state.roc
        if curve is None or not self.isVisible():
            return
        if not self._state.can_plot:
            self.plot_requested.emit()
            return
        if self.plot is None:
            from focusviewer.app.worklist.thresholds.roc_plot import RocPlot

            self.plot = RocPlot()
            self._row.insertWidget(0, self.plot)
        self.plot.show_curve(curve)


def roc_text(curve: RocCurve) -> str:
    """What the curve says, in words."""
    return (
        f"The program's score against persons' verdicts: {curve.slides} slides, {curve.rescans} to rescan.\n"
        f"Area under the curve {curve.auc:.3f}.\n"
        f"The dot marks the program's verdicts: {curve.rules[1]:.0%} of the slides in need found, "
        f"{curve.rules[0]:.0%} of the good ones sent back."
    )
