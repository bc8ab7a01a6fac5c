"""The right dock: the panels in foldable sections."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from focusviewer.app.heatmap.panel import HeatmapPanel
from focusviewer.app.heatmap.reading import HeatmapStyle
from focusviewer.app.refocus.panel import RefocusPanel
from focusviewer.app.slides.slide_panel import SlidePanel
from focusviewer.app.viewer.plane_panel import PlanePanel
from focusviewer.app.widgets.common import Section
from focusviewer.app.worklist.verdict_panel import VerdictPanel

WIDTH = 330


class Tools(QScrollArea):
    """Verdict (with a worklist), Focal plane, Heatmap, Refocus and Slide, one below the other."""

    def __init__(self, style: HeatmapStyle) -> None:
        super().__init__()
        self.plane = PlanePanel()
        self.heatmap = HeatmapPanel(style)
        self.refocus = RefocusPanel()
        self.slide = SlidePanel()
        self.verdict = VerdictPanel()
        self.verdict_section = Section("Verdict", self.verdict)
        self.verdict_section.hide()
        self.plane_section = Section("Focal plane", self.plane)
        self.heatmap_section = Section("Heatmap", self.heatmap)
        self.refocus_section = Section("Refocus", self.refocus)
        self.slide_section = Section("Slide", self.slide)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        sections = (self.plane_section, self.heatmap_section, self.refocus_section, self.slide_section)
        for section in (self.verdict_section, *sections):
            column.addWidget(section)
        column.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(WIDTH)
