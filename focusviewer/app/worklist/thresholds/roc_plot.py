"""The plot of a receiver operating characteristic. Loads pyqtgraph: import it in functions only."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette

from focusviewer.app.widgets.plots import TICK_PT, Plot
from focusviewer.app.worklist.thresholds.roc import RocCurve

SIZE = (220, 170)
TICKS = [[(tick, f"{tick:g}") for tick in (0.0, 0.5, 1.0)]]
LABELS = (("bottom", "good slides sent back"), ("left", "slides in need found"))
PADDING = 0.05
"""Empty part on every side, as the curve runs along the edges."""


class RocPlot(Plot):
    """The curve from 0 to 1, the diagonal of chance, and a dot at the program's own verdicts."""

    def __init__(self) -> None:
        self._chance = pg.PlotDataItem((0.0, 1.0), (0.0, 1.0))
        self._curve = pg.PlotDataItem()
        self._rules = pg.PlotDataItem(pen=None, symbol="o", symbolSize=8)
        super().__init__(axes=("bottom", "left"))
        for item in (self._chance, self._curve, self._rules):
            self.addItem(item)
        self.setFixedSize(*SIZE)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Receiver operating characteristic; the dot marks the rules")
        self.setRange(xRange=(0.0, 1.0), yRange=(0.0, 1.0), padding=PADDING)
        self.getPlotItem().layout.setContentsMargins(0, 0, 8, 0)
        for side, _ in LABELS:
            axis = self.getAxis(side)
            axis.setStyle(hideOverlappingLabels=False, autoExpandTextSpace=True)
            axis.setTicks(TICKS)
        self.recolour()

    def show_curve(self, curve: RocCurve) -> None:
        """Show another curve."""
        self._curve.setData(curve.false_rate, curve.recall)
        self._rules.setData((curve.rules[0],), (curve.rules[1],))

    def recolour(self) -> None:
        """Take the colours of the palette; the background is the panel's."""
        super().recolour()
        palette = self.palette()
        self.setBackground(palette.color(QPalette.ColorRole.Window))
        faint = palette.color(QPalette.ColorRole.PlaceholderText)
        for side, label in LABELS:
            self.getAxis(side).setLabel(label, **{"color": faint.name(), "font-size": f"{TICK_PT:g}pt"})
        self._chance.setPen(palette.color(QPalette.ColorRole.Mid), style=Qt.PenStyle.DashLine)
        self._curve.setPen(palette.color(QPalette.ColorRole.Highlight), width=2)
        self._rules.setSymbolBrush(palette.color(QPalette.ColorRole.Text))
        self._rules.setSymbolPen(None)
