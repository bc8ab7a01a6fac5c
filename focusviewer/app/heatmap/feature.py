"""The focus map in the window: its state, panel, controller and commands."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from focusviewer.app.heatmap.controller import HeatmapController
from focusviewer.app.heatmap.panel import HeatmapPanel
from focusviewer.app.heatmap.state import HeatmapState
from focusviewer.app.services.actions import ActionRecord
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.settings import Settings
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets.common import Section


class HeatmapFeature(QObject):
    """Maps the focus of the slide and shows the map."""

    def __init__(self, jobs: Jobs, viewport: Viewport, settings: Settings) -> None:
        super().__init__()
        self._viewport, self._settings = viewport, settings
        self.state = HeatmapState.of(settings)
        self.panel = HeatmapPanel(self.state)
        self.section = Section("Heatmap", self.panel)
        self.controller = HeatmapController(jobs, viewport, self.state)
        self.panel.run_requested.connect(self.controller.run)
        self.panel.stop_requested.connect(self.controller.stop)
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
        self.state.visible = not self.state.visible

    def next_worst(self) -> None:
        """Go to the next of the worst regions."""
        region = self.state.select_next()
        if region is not None:
            self.go_to_region(region.box)

    @Slot(object)
    def go_to_region(self, box: tuple[float, float, float, float]) -> None:
        """Show a region of the slide (x, y, width, height in level-0 pixels) and outline it."""
        self._viewport.go_to_rect(*box)
        self._viewport.setFocus()

    def keep_settings(self) -> None:
        """Remember what is chosen."""
        self.state.keep(self._settings)
