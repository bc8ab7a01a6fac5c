"""Blur against z, where several planes of a stack are mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from focusviewer.app.heatmap.presentation import FocusCurve
from focusviewer.app.widgets.common import hint

if TYPE_CHECKING:
    from focusviewer.app.heatmap.curve_plot import BlurCurve

HEIGHT = 96


class CurveView(QWidget):
    """Holds the curve; hidden while there is none, or the plotting library is not loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.plot: BlurCurve | None = None
        self._curve: FocusCurve | None = None
        self._can_plot = False
        self.title = hint()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addWidget(self.title)
        self.hide()

    def show_curve(self, curve: FocusCurve | None) -> None:
        """Show other planes, or nothing."""
        self._curve = curve
        self._show()

    def allow_plots(self, can_plot: bool) -> None:
        """Draw from now on: the plotting library is loaded."""
        self._can_plot = can_plot
        self._show()

    def _show(self) -> None:
        curve = self._curve
        if curve is None or not self._can_plot:
            self.hide()
            return
        if self.plot is None:
            from focusviewer.app.heatmap.curve_plot import BlurCurve

            self.plot = BlurCurve()
            self.plot.setFixedHeight(HEIGHT)
            self._layout.addWidget(self.plot)
        self.plot.show_curve(curve)
        unit = "levels" if curve.absolute else "scores"
        self.title.setText(f"Median blur ({unit}) by {'z in µm' if curve.z_known else 'plane'}")
        self.show()
