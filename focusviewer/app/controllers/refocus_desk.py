"""All that belongs to refocusing in the window: comparison, sweep, brush, trust, and what is asked of the user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction

from focusviewer.app.controllers.compare import CompareController
from focusviewer.app.controllers.export import NOTHING, ExportController
from focusviewer.app.controllers.painting import PaintController
from focusviewer.app.controllers.sweep import SweepController
from focusviewer.app.controllers.trust import TrustController
from focusviewer.app.jobs import Job, Lane
from focusviewer.app.models.compare import WAYS
from focusviewer.app.views import choosers
from focusviewer.core.registry import AnyEntry

if TYPE_CHECKING:
    from focusviewer.app.views.main_window import MainWindow

SAVE_MENU = ("file.save_refocused", "file.save_sweep", "file.export_view", "file.export_slide")
"""Commands of the panel's Save button."""


class RefocusDesk(QObject):
    """Builds the controllers around the knob, and asks where files go."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._gives_up = False
        refocus, panel = window.refocus, window.refocus_panel
        self.compare = CompareController(
            window.tiles, window.viewport, window.splitter, window.slides, refocus, window.compare_bar
        )
        self.sweep = SweepController(refocus, panel.sweep)
        self.trust = TrustController(window.jobs, window.viewport, refocus, panel.trust)
        self.painting = PaintController(window.jobs, window.viewport, refocus, panel)
        self.export = ExportController(window.jobs, window.tiles, refocus, window.slides)
        self.painting.add_port(self.compare.second)
        self.trust.changed.connect(self.compare.refresh)
        self.export.saved.connect(window.saving.saved)
        self.painting.saved.connect(window.saving.saved)
        for source in (refocus, self.sweep, self.export, self.painting):
            source.failed.connect(window.show_error)
        panel.sweep.save_requested.connect(self.ask_save_sweep)
        panel.paint.load_requested.connect(self.ask_load_painting)
        panel.paint.save_requested.connect(self.ask_save_painting)

    def bind(self, actions: Mapping[str, QAction]) -> None:
        """Put the commands where they are also offered, and keep the checks of the menu true."""
        window, compare = self._window, self.compare
        window.refocus_panel.set_save_menu([actions[name] for name in SAVE_MENU])
        ways = {way: actions[f"compare.{way}"] for way in WAYS if way != "off"}

        def check(now: str) -> None:
            for way, action in ways.items():
                action.setChecked(way == now)

        compare.way_changed.connect(check)
        for action in window.viewport.actions():
            compare.second.addAction(action)  # the keys that move a picture work in the second as well

    def may_close(self) -> bool:
        """Whether no file is being written that would be lost; else the user is asked, who may close again."""
        running = self.export.running
        if not running or self._gives_up:
            return True

        def give_up() -> None:
            self._gives_up = True
            self._window.close()

        choosers.ask_give_up(self._window, [job.title for job in running], give_up)
        return False

    def close(self) -> None:
        """Stop what moves by itself."""
        self.sweep.stop()
        self.compare.stop()

    def load_engines(self) -> None:
        """Fill the panel's list (the registry is imported in a worker)."""
        window, wanted = self._window, self._window.settings.engine

        def work(job: Job) -> tuple[list[AnyEntry], str, str]:
            from focusviewer import refocus

            return refocus.engines(), wanted, refocus.DEFAULT_ENGINE

        def done(found: tuple[list[AnyEntry], str, str]) -> None:
            window.refocus_panel.set_engines(*found)
            window.refocus.view_rested()

        window.jobs.start("engines", work, lane=Lane.INFERENCE, done=done, failed=window.show_error)

    def _ask(self, title: str, ending: str, filters: str, suffix: str, chosen: choosers.Chosen) -> None:
        document = self._window.document
        if document is not None:
            folder, stem = self._window.settings.last_folder, f"{document.path.stem}-{ending}"
            choosers.choose_target(self._window, title, folder, stem, filters, suffix, chosen)

    @Slot()
    def ask_save_refocused(self) -> None:
        """Ask where to save the synthesised picture."""
        window = self._window
        if window.document is None or window.refocus.shown is None:
            window.show_error("There is no refocused picture to save. Switch Refocus on and turn the knob.")
            return
        stem = f"{window.document.path.stem}-refocused"
        chosen = window.saving.save_refocused
        choosers.choose_picture(window, "Save refocused picture", window.settings.last_folder, stem, chosen)

    @Slot()
    def ask_save_sweep(self) -> None:
        """Ask where to save the sweep."""
        if self.export.area is None:
            self._window.show_error(NOTHING)
            return
        box = self._window.refocus_panel.sweep

        def chosen(path: Path) -> None:
            self.export.sweep(path, box.low.value(), box.high.value())

        self._ask("Save sweep", "sweep", choosers.MOVING, "webp", chosen)

    def ask_export(self, *, whole: bool) -> None:
        """Ask where to save what is on screen, or the whole slide, as a pyramidal TIFF."""
        if self.export.area is None:
            self._window.show_error(NOTHING)
            return
        what, ending = ("whole slide", "slide-refocused") if whole else ("region", "region-refocused")

        def chosen(path: Path) -> None:
            self.export.region(path, whole=whole)

        self._ask(f"Save the {what} as pyramidal OME-TIFF", ending, choosers.PYRAMIDS, "ome.tif", chosen)

    @Slot()
    def ask_load_painting(self) -> None:
        """Ask for a painted focus map."""
        choosers.choose_map(self._window, self._window.settings.last_folder, self.painting.load)

    @Slot()
    def ask_save_painting(self) -> None:
        """Ask where to save the painted focus map."""
        self._ask("Save the painted focus map", "focus", choosers.MAPS, "npy", self.painting.save)
