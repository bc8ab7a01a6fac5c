"""The status bar: where the cursor is, the zoom, the blur there, and the jobs."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QStatusBar

from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.viewer import scales
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.bars import JobList

HEIGHT = 30


class Status(QStatusBar):
    """Read-outs on the left, jobs on the right."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self.position, self.zoom, self.blur = PlainLabel(), PlainLabel(), PlainLabel()
        self.position.setMinimumWidth(200)
        self.zoom.setMinimumWidth(130)
        self.setSizeGripEnabled(False)
        self.setFixedHeight(HEIGHT)  # it must not grow with a job's buttons: the picture would jump
        self.setContentsMargins(8, 0, 4, 0)
        for label in (self.position, self.zoom, self.blur):
            self.addWidget(label)
        self.addPermanentWidget(JobList(jobs))

    def show_view(self, document: Document | None) -> None:
        """Show the zoom."""
        self.zoom.setText(scales.zoom_text(document.view.scale, document.mpp) if document else "")

    def show_point(self, document: Document | None, x: float, y: float, blur: str) -> None:
        """Show a position (level-0 pixels; NaN for none) and the blur there."""
        inside = document is not None and not math.isnan(x)
        self.position.setText(scales.position_text(x, y, document.sides_um) if inside and document else "")
        self.blur.setText(f"blur {blur}" if inside and blur else "")
