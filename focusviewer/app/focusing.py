"""The commands of the Focus menu."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Slot

from focusviewer.app.heatmap.controller import HeatmapController
from focusviewer.app.panels import Tools
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.viewer.viewport import Viewport


class Focusing(QObject):
    """Opens the section a command belongs to and does it."""

    def __init__(
        self, tools: Tools, heatmap: HeatmapController, refocus: RefocusController, viewport: Viewport
    ) -> None:
        super().__init__()
        self._tools, self._heatmap, self._refocus, self._viewport = tools, heatmap, refocus, viewport
        tools.heatmap.region_chosen.connect(self.go_to_region)

    def run_heatmap(self) -> None:
        """Map the focus of the slide."""
        self._tools.heatmap_section.unfold()
        self._heatmap.run()

    def toggle_overlay(self) -> None:
        """Show or hide the map."""
        self._tools.heatmap.visible_box.toggle()

    def next_worst(self) -> None:
        """Go to the next region of the worst list."""
        regions = self._tools.heatmap.worst
        if regions.count():
            item = regions.item((regions.currentRow() + 1) % regions.count())
            regions.setCurrentItem(item)
            self.go_to_region(item.data(Qt.ItemDataRole.UserRole))

    @Slot(object)
    def go_to_region(self, region: tuple[float, float, float, float]) -> None:
        """Show a region of the slide (level-0 pixels) and outline it."""
        self._viewport.go_to_rect(*region)
        self._viewport.setFocus()

    def toggle_refocus(self) -> None:
        """Switch refocusing on or off."""
        self._tools.refocus_section.unfold()
        self._refocus.toggle()

    def auto_focus(self) -> None:
        """Sharpest focus of the view."""
        self._tools.refocus_section.unfold()
        self._refocus.auto()

    def all_in_focus(self) -> None:
        """Every part at its best focus."""
        self._tools.refocus_section.unfold()
        self._refocus.all_in_focus()

    def enter(self, mode: str) -> None:
        """Refocus in one of the panel's modes."""
        self._tools.refocus_section.unfold()
        self._refocus.enter(mode)

    def opened(self, command: Callable[[], None]) -> Callable[[], None]:
        """Make a command that opens the Refocus section first."""

        def act() -> None:
            self._tools.refocus_section.unfold()
            command()

        return act

    def turn_knob(self, step_um: float) -> None:
        """Turn the focus knob a little."""
        if self._refocus.is_on:
            spin = self._tools.refocus.spin
            spin.setValue(spin.value() + step_um)

    def show_scan(self) -> None:
        """Back to the scanned pixels."""
        self._tools.refocus.reset.click()
