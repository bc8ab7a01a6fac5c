"""The histogram of a map's blur, with the threshold to drag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from focusviewer.app.heatmap.presentation import Histogram
from focusviewer.app.widgets.common import hint

if TYPE_CHECKING:
    from focusviewer.app.heatmap.histogram_plot import BlurBars

HEIGHT = 92
AXIS_HEIGHT = 16


class HistogramView(QWidget):
    """Holds the histogram; says that there is no map until there is one and it can be drawn.

    The bars themselves are made when they are first needed, as the plotting library is slow to load.

    Signals
    -------
    threshold_moved : the user has moved the line (new threshold)
    """

    threshold_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.bars: BlurBars | None = None
        self._data: Histogram | None = None
        self._threshold = 3.0
        self._can_plot = False
        self.setFixedHeight(HEIGHT)
        self.setToolTip("Tissue windows by blur. Drag the line to set the threshold.")
        self.empty = hint()
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setAutoFillBackground(True)
        self.empty.setBackgroundRole(QPalette.ColorRole.Base)
        self.low, self.title, self.high = hint(), hint(), hint()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(2, 4, 2, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self.empty, 1)
        axis = QHBoxLayout()
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight)
        for label, side in zip((self.low, self.title, self.high), sides, strict=True):
            label.setWordWrap(False)
            label.setFixedHeight(AXIS_HEIGHT)
            label.setAlignment(side | Qt.AlignmentFlag.AlignTop)
            axis.addWidget(label, 1)
        self._layout.addLayout(axis)
        self._show()

    def show_data(self, data: Histogram | None) -> None:
        """Show other counts."""
        self._data = data
        self._show()

    def set_threshold(self, threshold: float) -> None:
        """Move the line."""
        self._threshold = threshold
        if self.bars is not None:
            self.bars.set_threshold(threshold)

    def allow_plots(self, can_plot: bool) -> None:
        """Draw from now on: the plotting library is loaded."""
        self._can_plot = can_plot
        self._show()

    def _show(self) -> None:
        data = self._data if self._data is not None and self._data.counts.sum() else None
        if data is not None and self._can_plot:
            self._ensure_bars().show_data(data)
        self.empty.setText("no map yet" if data is None else "")
        self.empty.setVisible(data is None or self.bars is None)
        if self.bars is not None:
            self.bars.setVisible(data is not None)
        self.low.setText("" if data is None else f"{data.edges[0]:.3g}")
        self.title.setText("" if data is None else "blur")
        self.high.setText("" if data is None else f"{data.edges[-1]:.3g}")

    def _ensure_bars(self) -> BlurBars:
        if self.bars is None:
            from focusviewer.app.heatmap.histogram_plot import BlurBars

            self.bars = BlurBars()
            self.bars.set_threshold(self._threshold)
            self.bars.threshold_moved.connect(self.threshold_moved)
            self._layout.insertWidget(0, self.bars, 1)
        return self.bars
