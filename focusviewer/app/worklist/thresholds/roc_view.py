"""A small plot of how well the program's scores tell the slides that persons send back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPalette, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from focusviewer.app.services.binding import follow
from focusviewer.app.widgets.common import hint
from focusviewer.app.worklist.thresholds.roc import RocCurve
from focusviewer.app.worklist.thresholds.state import ThresholdPreviewState

if TYPE_CHECKING:
    from pyqtgraph import PlotWidget

SIZE = (220, 170)
TICKS = [[(tick, f"{tick:g}") for tick in (0.0, 0.5, 1.0)]]


class RocPlot(QWidget):
    """The curve beside what it says in words; nothing while there is none.

    pyqtgraph takes half a second to import, so the plot is made when it is seen for the first time.
    """

    def __init__(self, state: ThresholdPreviewState) -> None:
        super().__init__()
        self._state = state
        self.plot: PlotWidget | None = None
        self.text = hint()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self.text, 1, Qt.AlignmentFlag.AlignTop)
        follow(state, "roc", self._show)

    def _show(self, curve: RocCurve | None) -> None:
        self.text.setText("" if curve is None else roc_text(curve))
        self.setVisible(curve is not None)
        self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Make the plot when it is to be seen."""
        super().showEvent(event)
        self._draw()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the colours of the window."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()

    def _draw(self) -> None:
        curve = self._state.roc
        if curve is None or not self.isVisible():
            return
        if self.plot is None:
            self.plot = _empty_plot()
            self._row.insertWidget(0, self.plot)
        _draw_curve(self.plot, curve, self.palette())


def _empty_plot() -> PlotWidget:
    """Axes from 0 to 1 that can be looked at only: the wheel scrolls the panel."""
    import pyqtgraph

    plot = pyqtgraph.PlotWidget()
    plot.setFixedSize(*SIZE)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    plot.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    plot.setAccessibleName("Receiver operating characteristic; the dot marks the rules")
    plot.setMouseEnabled(x=False, y=False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setRange(xRange=(0.0, 1.0), yRange=(0.0, 1.0), padding=0.05)  # the curve runs along the edges
    plot.getPlotItem().layout.setContentsMargins(0, 0, 8, 0)
    for side in ("bottom", "left"):
        plot.getAxis(side).setStyle(hideOverlappingLabels=False, autoExpandTextSpace=True)
    return plot


def _draw_curve(plot: PlotWidget, curve: RocCurve, palette: QPalette) -> None:
    import pyqtgraph

    def colour(role: QPalette.ColorRole) -> QColor:
        return palette.color(QPalette.ColorGroup.Active, role)

    faint = colour(QPalette.ColorRole.PlaceholderText)
    plot.setBackground(colour(QPalette.ColorRole.Window))
    for side, label in (("bottom", "good slides sent back"), ("left", "slides in need found")):
        axis = plot.getAxis(side)
        axis.setPen(colour(QPalette.ColorRole.Mid))
        axis.setTextPen(faint)
        axis.setTicks(TICKS)
        axis.setLabel(label, color=faint.name())
    plot.clear()
    chance = pyqtgraph.mkPen(colour(QPalette.ColorRole.Mid), style=Qt.PenStyle.DashLine)
    plot.plot((0.0, 1.0), (0.0, 1.0), pen=chance)
    plot.plot(curve.false_rate, curve.recall, pen=pyqtgraph.mkPen(colour(QPalette.ColorRole.Highlight), width=2))
    dot = colour(QPalette.ColorRole.Text)
    x, y = curve.rules
    plot.plot((x,), (y,), pen=None, symbol="o", symbolSize=8, symbolBrush=dot, symbolPen=None)


def roc_text(curve: RocCurve) -> str:
    """What the curve says, in words."""
    return (
        f"The program's score against persons' verdicts: {curve.slides} slides, {curve.rescans} to rescan.\n"
        f"Area under the curve {curve.auc:.3f}.\n"
        f"The dot marks the program's verdicts: {curve.rules[1]:.0%} of the slides in need found, "
        f"{curve.rules[0]:.0%} of the good ones sent back."
    )
