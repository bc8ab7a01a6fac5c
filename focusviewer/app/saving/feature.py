"""Saving what is on screen, what was computed, and what was painted: the commands, and the questions where to."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from focusviewer.app.painting.controller import PaintController
from focusviewer.app.refocus.feature import RefocusFeature
from focusviewer.app.saving.controller import NO_PICTURE, SavingController
from focusviewer.app.saving.export import NOTHING, ExportController
from focusviewer.app.services.actions import ActionRecord
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.settings import Settings
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets import choosers


class SavingFeature(QObject):
    """Asks where files go and has them written.

    Parameters
    ----------
    parent : QWidget
        What the dialogs belong to.
    """

    saved = Signal(object)  # path
    failed = Signal(str)

    def __init__(
        self,
        jobs: Jobs,
        tiles: TileSource,
        viewport: Viewport,
        slides: SlideController,
        refocus: RefocusFeature,
        painting: PaintController,
        settings: Settings,
        parent: QWidget,
    ) -> None:
        super().__init__()
        self._slides, self._refocus, self._painting = slides, refocus, painting
        self._settings, self._parent = settings, parent
        self.controller = SavingController(jobs, viewport, refocus.controller, slides)
        self.export = ExportController(jobs, tiles, refocus.controller, slides)
        for source in (self.controller, self.export, painting):
            source.saved.connect(self.saved)
            source.failed.connect(self.failed)
        refocus.panel.sweep.save_requested.connect(self.ask_save_sweep)
        painting.box.load_requested.connect(self.ask_load_painting)
        painting.box.save_requested.connect(self.ask_save_painting)

    def actions(self) -> list[ActionRecord]:
        """The commands that save."""
        return [
            ActionRecord(
                "file.snapshot",
                "Save s&napshot of the view…",
                self.ask_snapshot,
                "camera",
                ("Ctrl+S",),
                "Save what the picture shows, with overlay and scale bar",
                needs="slide",
            ),
            ActionRecord(
                "file.copy_view",
                "&Copy the view",
                self.controller.copy_view,
                "",
                ("Ctrl+C",),
                "Copy what the picture shows to the clipboard, with overlay and scale bar",
                needs="slide",
            ),
            ActionRecord(
                "file.save_refocused",
                "Save &refocused picture…",
                self.ask_save_refocused,
                "save",
                ("Ctrl+Shift+S",),
                "Save the refocused view as PNG, TIFF or JPEG",
                needs="slide",
            ),
            ActionRecord(
                "file.save_sweep",
                "Save s&weep…",
                self.ask_save_sweep,
                "",
                ("Ctrl+T",),
                "Save a sweep of the focus as GIF or WebP",
                needs="slide",
            ),
            ActionRecord(
                "file.export_view",
                "Save region as &pyramidal OME-TIFF…",
                partial(self.ask_export, whole=False),
                shortcuts=("Ctrl+E",),
                tip="Save what is on screen, refocused at full resolution",
                needs="slide",
            ),
            ActionRecord(
                "file.export_slide",
                "Save whole slide as p&yramidal OME-TIFF…",
                partial(self.ask_export, whole=True),
                shortcuts=("Ctrl+Shift+E",),
                tip="Save the whole slide, refocused at full resolution",
                needs="slide",
            ),
        ]

    # --- where to ------------------------------------------------------------------------------------------

    @Slot()
    def ask_snapshot(self) -> None:
        """Ask where to save what the picture shows."""
        self._ask_picture("Save snapshot", "view", self.controller.snapshot)

    @Slot()
    def ask_save_refocused(self) -> None:
        """Ask where to save the synthesised picture."""
        if self._slides.current is None or self._refocus.controller.shown is None:
            self.failed.emit(NO_PICTURE)
            return
        self._ask_picture("Save refocused picture", "refocused", self.controller.save_refocused)

    @Slot()
    def ask_save_sweep(self) -> None:
        """Ask where to save the sweep."""
        if self.export.area is None:
            self.failed.emit(NOTHING)
            return
        state = self._refocus.state

        def chosen(path: Path) -> None:
            self.export.sweep(path, state.sweep_low_um, state.sweep_high_um)

        self._ask("Save sweep", "sweep", choosers.ANIMATIONS, "webp", chosen)

    def ask_export(self, *, whole: bool) -> None:
        """Ask where to save what is on screen, or the whole slide, as a pyramidal TIFF."""
        if self.export.area is None:
            self.failed.emit(NOTHING)
            return
        what, ending = ("whole slide", "slide-refocused") if whole else ("region", "region-refocused")

        def chosen(path: Path) -> None:
            self.export.region(path, whole=whole)

        self._ask(f"Save the {what} as pyramidal OME-TIFF", ending, choosers.PYRAMIDS, "ome.tif", chosen)

    @Slot()
    def ask_load_painting(self) -> None:
        """Ask for a painted focus map."""
        choosers.choose_map(self._parent, self._settings.last_folder, self._painting.load)

    @Slot()
    def ask_save_painting(self) -> None:
        """Ask where to save the painted focus map."""
        self._ask("Save the painted focus map", "focus", choosers.MAPS, "npy", self._painting.save)

    def _ask_picture(self, title: str, ending: str, chosen: choosers.Chosen) -> None:
        document = self._slides.current
        if document is not None:
            stem = f"{document.path.stem}-{ending}"
            choosers.choose_picture(self._parent, title, self._settings.last_folder, stem, chosen)

    def _ask(self, title: str, ending: str, filters: str, suffix: str, chosen: choosers.Chosen) -> None:
        document = self._slides.current
        if document is not None:
            folder, stem = self._settings.last_folder, f"{document.path.stem}-{ending}"
            choosers.choose_target(self._parent, title, folder, stem, filters, suffix, chosen)
