"""Refocusing in the window: the panel with its knob, sweep and confidence, and their commands."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.refocus.confidence import ConfidenceController
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.refocus.panel import RefocusPanel
from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.refocus.sweep import SweepController
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.settings import Settings
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets.common import Section
from focusviewer.core.registry import AnyEntry


class RefocusFeature(QObject):
    """Refocuses what is on screen: panel, controllers and commands."""

    failed = Signal(str)

    def __init__(self, jobs: Jobs, tiles: TileSource, viewport: Viewport, settings: Settings) -> None:
        super().__init__()
        self._jobs, self._settings = jobs, settings
        self.state = RefocusState()
        self.panel = RefocusPanel(self.state)
        self.section = Section("Refocus", self.panel)
        self.controller = RefocusController(jobs, tiles, viewport, self.state)
        self.sweep = SweepController(self.controller)
        self.confidence = ConfidenceController(jobs, viewport, self.controller)
        self.panel.mode_requested.connect(self.controller.choose_mode)
        self.panel.auto_requested.connect(self.controller.auto)
        self.panel.all_in_focus_requested.connect(self.controller.all_in_focus)
        for source in (self.controller, self.sweep):
            source.failed.connect(self.failed)

    def load_engines(self) -> None:
        """List the engines (their registry is imported in a worker)."""
        wanted = self._settings.engine

        def work(job: Job) -> tuple[list[AnyEntry], str, str]:
            from focusviewer import refocus

            return refocus.engines(), wanted, refocus.DEFAULT_ENGINE

        def done(found: tuple[list[AnyEntry], str, str]) -> None:
            self.state.offer_engines(*found)
            self.controller.view_rested()

        self._jobs.start("engines", work, lane=Lane.INFERENCE, done=done, failed=self.failed.emit)

    def keep_settings(self) -> None:
        """Remember the engine that is chosen."""
        self._settings.engine = self.state.engine or self._settings.engine  # they may not have been listed yet

    @Slot()
    def forget_studies(self) -> None:
        """Forget what was made of slides: the file of one is another now."""
        self.controller.studies.clear()

    # --- commands ------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Switch refocusing on or off."""
        self.section.unfold()
        self.controller.toggle()

    def auto_focus(self) -> None:
        """Sharpest focus of the view."""
        self.section.unfold()
        self.controller.auto()

    def all_in_focus(self) -> None:
        """Every part at its best focus."""
        self.section.unfold()
        self.controller.all_in_focus()

    def enter(self, mode: str) -> None:
        """Refocus in one of the panel's modes."""
        self.section.unfold()
        self.controller.enter(mode)

    def toggle_sweep(self) -> None:
        """Play the focus, or stop."""
        self.section.unfold()
        self.sweep.toggle()

    def toggle_confidence(self) -> None:
        """Show or hide where the scan does not support the picture."""
        self.section.unfold()
        self.state.confidence_shown = not self.state.confidence_shown

    def turn_knob(self, step_um: float) -> None:
        """Turn the focus knob a little."""
        if self.state.is_on:
            self.state.turn_by(step_um)

    def show_scan(self) -> None:
        """Back to the scanned pixels."""
        self.state.show_scan()
