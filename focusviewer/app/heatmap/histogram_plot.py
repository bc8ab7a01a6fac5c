"""The bars of the histogram and the line of the threshold. Loads pyqtgraph: import it in functions only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette

from focusviewer.app.heatmap.presentation import Histogram
from focusviewer.app.widgets.plots import Plot

BAR_WIDTH = 0.88
"""Part of a bin; the rest is a gap."""

HEADROOM = 0.04


class _BarBox(pg.ViewBox):  # type: ignore[misc] # pyqtgraph has no types
    """Emits where it is clicked or dragged outside the line."""

    pointed = Signal(float)

    def mouseClickEvent(self, event: Any) -> None:
        self._point(event)

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        self._point(event)

    def _point(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.pointed.emit(self.mapToView(event.pos()).x())


class BlurBars(Plot):
    """Tissue windows by blur, in the colours of the map, with the threshold to drag."""

    threshold_moved = Signal(float)

    def __init__(self) -> None:
        box = _BarBox(enableMenu=False)
        self._bars = pg.BarGraphItem(x0=[], width=1.0, height=[])
        self._line = pg.InfiniteLine(movable=True)
        self._ends = (0.0, 1.0)
        super().__init__(box)
        self.addItem(self._bars)
        self.addItem(self._line)
        self.setYRange(0.0, 1.0 + HEADROOM, padding=0)
        self._line.sigDragged.connect(self._dragged)
        box.pointed.connect(self._pointed)

    def show_data(self, data: Histogram) -> None:
        """Show other counts (there is at least one window)."""
        self._ends = float(data.edges[0]), float(data.edges[-1])
        # square root: a few blurred windows among thousands must still be seen
        heights = np.sqrt(data.counts / data.counts.max())
        brushes = [pg.mkBrush(*(int(part) for part in colour[:3])) for colour in data.colours]
        width = BAR_WIDTH * float(data.edges[1] - data.edges[0])
        self._bars.setOpts(x0=data.edges[:-1], width=width, height=heights, brushes=brushes, pen=pg.mkPen(None))
        self.setXRange(*self._ends, padding=0)
        self.set_threshold(self._line.value())

    def set_threshold(self, threshold: float) -> None:
        """Move the line; outside the range it is not seen."""
        self._line.setValue(threshold)
        self._line.setVisible(self._ends[0] <= threshold <= self._ends[1])

    def recolour(self) -> None:
        """Take the colours of the palette."""
        super().recolour()
        self._line.setPen(self.palette().color(QPalette.ColorRole.Text), width=1.5)
        self._line.setHoverPen(self.palette().color(QPalette.ColorRole.Highlight), width=3)

    def _dragged(self, line: pg.InfiniteLine) -> None:
        self._pointed(line.value())

    def _pointed(self, value: float) -> None:
        low, high = self._ends
        self.threshold_moved.emit(min(max(value, low), high))
