"""Plots in the window's colours, made with pyqtgraph.

pyqtgraph takes one to two tenths of a second to import. Import this module, and what stands on it, on the Qt thread,
after :func:`focusviewer.app.widgets.plotting.load_plots`, and never at module level of what is loaded when the window
starts.
"""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtGui import QFont, QPalette, QWheelEvent
from PySide6.QtWidgets import QFrame

TICK_PT = 7.5


class Plot(pg.PlotWidget):  # type: ignore[misc] # pyqtgraph has no types
    """A plot that the mouse neither moves nor zooms, without a menu, in the colours of the palette.

    Parameters
    ----------
    box : pyqtgraph.ViewBox, optional
        What the curves lie in, where an ordinary one will not do.
    axes : tuple of str
        Sides that have an axis: "left", "bottom".
    """

    _is_built = False  # Qt sends changes while the bases are still being built

    def __init__(self, box: pg.ViewBox | None = None, axes: tuple[str, ...] = ()) -> None:
        super().__init__(viewBox=box or pg.ViewBox(enableMenu=False), enableMenu=False)
        self._axes = axes
        item = self.getPlotItem()
        item.setMenuEnabled(False, None)
        item.setMouseEnabled(False, False)
        item.hideButtons()
        item.layout.setContentsMargins(0, 4 if axes else 0, 0, 0)  # the last tick label reaches beyond the axis
        font = QFont(self.font())
        font.setPointSizeF(TICK_PT)
        for side in ("left", "bottom"):
            if side in axes:
                item.getAxis(side).setStyle(tickFont=font, tickLength=-4, tickTextOffset=2)
            else:
                item.hideAxis(side)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._is_built = True
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the palette; plots with curves of their own add theirs."""
        palette = self.palette()
        self.setBackground(palette.color(QPalette.ColorRole.Base))
        for side in self._axes:
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(palette.color(QPalette.ColorRole.Mid))
            axis.setTextPen(palette.color(QPalette.ColorRole.PlaceholderText))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if self._is_built and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange):
            self.recolour()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel around the plot, which scrolls."""
        event.ignore()
