"""The curve of blur against z. Loads pyqtgraph: import it in functions only."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette

from focusviewer.app.heatmap.presentation import FocusCurve
from focusviewer.app.widgets.plots import Plot

MARGIN = 0.06
"""Empty part on every side, of the range of the points."""

SIZE_PX = 6
MAX_TICKS = 7


class BlurCurve(Plot):
    """Median blur of the mapped planes by z, with the plane on screen marked by a line."""

    def __init__(self) -> None:
        self._points = pg.PlotDataItem(symbol="o", symbolSize=SIZE_PX, antialias=True)
        self._shown = pg.InfiniteLine(movable=False)
        super().__init__(axes=("left", "bottom"))
        self.addItem(self._shown)
        self.addItem(self._points)

    def show_curve(self, curve: FocusCurve) -> None:
        """Show other planes, or mark another one."""
        self._points.setData(curve.z, curve.median)
        self._shown.setValue(curve.shown)
        step = -(-len(curve.z) // MAX_TICKS)
        ticks = [(z, f"{z:.3g}".replace("-", "−")) for z in curve.z[::step]]
        self.getPlotItem().getAxis("bottom").setTicks([ticks])
        low, high = min(*curve.z, curve.shown), max(*curve.z, curve.shown)
        self.setXRange(low, high, padding=MARGIN)
        # from zero for focus levels, so that the planes are compared with a sharp one
        bottom = 0.0 if curve.absolute else min(curve.median)
        self.setYRange(bottom, max(*curve.median, bottom + 1e-6), padding=0.1)

    def recolour(self) -> None:
        """Take the colours of the palette."""
        super().recolour()
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        self._points.setPen(accent, width=1.5)
        self._points.setSymbolBrush(accent)
        self._points.setSymbolPen(None)
        text = self.palette().color(QPalette.ColorRole.Text)
        self._shown.setPen(text, width=1.0, style=Qt.PenStyle.DashLine)
