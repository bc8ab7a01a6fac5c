"""The focus map in the window: its state, panel, controller and commands."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, Qt, Slot

from focusviewer.app.heatmap.controller import HeatmapController
from focusviewer.app.heatmap.panel import HeatmapPanel
from focusviewer.app.heatmap.reading import style_of
from focusviewer.app.services.actions import ActionRecord
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.settings import HeatmapMode, Settings
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets.common import Section


class HeatmapFeature(QObject):
    """Maps the focus of the slide and shows the map."""

    def __init__(self, jobs: Jobs, viewport: Viewport, settings: Settings) -> None:
        super().__init__()
        self._viewport, self._settings = viewport, settings
        self.panel = HeatmapPanel(style_of(settings))
        self.section = Section("Heatmap", self.panel)
        self.controller = HeatmapController(jobs, viewport, self.panel)
        self.panel.region_chosen.connect(self.go_to_region)

    def actions(self) -> list[ActionRecord]:
        """The commands of the map."""
        return [
            ActionRecord(
                "focus.heatmap",
                "Map the focus",
                self.run,
                "heatmap",
                ("H",),
                "Map where the slide is blurred",
                needs="slide",
            ),
            ActionRecord("focus.stop", "Stop mapping", self.controller.stop, "stop", ("Shift+H",), needs="slide"),
            ActionRecord(
                "focus.overlay", "Show or hide the map", self.toggle_overlay, "layers-eye", ("O",), needs="slide"
            ),
            ActionRecord("focus.next_worst", "Next worst region", self.next_worst, "", ("N",), needs="slide"),
        ]

    def run(self) -> None:
        """Map the focus of the slide."""
        self.section.unfold()
        self.controller.run()

    def toggle_overlay(self) -> None:
        """Show or hide the map."""
        self.panel.visible_box.toggle()

    def next_worst(self) -> None:
        """Go to the next region of the worst list."""
        regions = self.panel.worst
        if regions.count():
            item = regions.item((regions.currentRow() + 1) % regions.count())
            regions.setCurrentItem(item)
            self.go_to_region(item.data(Qt.ItemDataRole.UserRole))

    @Slot(object)
    def go_to_region(self, region: tuple[float, float, float, float]) -> None:
        """Show a region of the slide (level-0 pixels) and outline it."""
        self._viewport.go_to_rect(*region)
        self._viewport.setFocus()

    def keep_settings(self) -> None:
        """Remember what is chosen."""
        style, settings = self.panel.style_now, self._settings
        settings.model, settings.lut = style.model, style.lut
        settings.heatmap_mode, settings.heatmap_opacity = cast(HeatmapMode, style.mode), style.opacity
        settings.threshold = self.controller.level_threshold
