"""The main window: puts the parts together; what they do is in the controllers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, Signal, Slot
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QLabel,
    QMainWindow,
    QScrollArea,
    QSplitter,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from focusviewer import __version__
from focusviewer.app import commands
from focusviewer.app.actions import ActionRecord
from focusviewer.app.controllers.heatmap import HeatmapController
from focusviewer.app.controllers.refocus import RefocusController
from focusviewer.app.controllers.slides import SLIDE_SUFFIXES, SlideController
from focusviewer.app.controllers.tiles import TileSource
from focusviewer.app.jobs import Job, Jobs, Lane
from focusviewer.app.models import scales
from focusviewer.app.models.document import Document
from focusviewer.app.models.heatmap import HeatmapStyle
from focusviewer.app.pixels import from_qimage, save_picture
from focusviewer.app.settings import Settings, save_settings
from focusviewer.app.views import dialogs, theme
from focusviewer.app.views.bars import JobList, MessageBar
from focusviewer.app.views.heatmap_panel import HeatmapPanel
from focusviewer.app.views.plane_panel import PlanePanel
from focusviewer.app.views.refocus_panel import RefocusPanel
from focusviewer.app.views.slide_list import SlideList
from focusviewer.app.views.slide_panel import SlidePanel
from focusviewer.app.views.viewport import Viewport
from focusviewer.app.views.widgets import Section
from focusviewer.errors import UserError

TITLE = "FocusViewer"
RIGHT_WIDTH = 330
LEFT_WIDTH = 210
STATUS_HEIGHT = 30
PICTURES = "PNG picture (*.png);;TIFF picture (*.tif *.tiff)"


class MainWindow(QMainWindow):
    """The window of the program.

    Parameters
    ----------
    settings : Settings
        Changed while the window is used, saved when it closes.
    remember : bool
        Write the settings when the window closes.
    """

    closed = Signal()

    def __init__(self, settings: Settings, *, remember: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self._remember = remember
        self.jobs = Jobs(self)
        self.tiles = TileSource(settings.tile_cache_mb << 20, parent=self)
        self._is_closed = False
        self._worst_index = -1
        self._asked_scale: set[str] = set()
        self._build_parts()
        self._build_docks()
        self._build_status()
        self.commands = commands.make_commands(self)
        self.actions_by_id = self._make_actions()
        self._build_menus()
        self._connect()
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.resize(1360, 860)
        self._restore_layout()
        self._show_document(None)

    # --- building ------------------------------------------------------------------------------------------

    def _build_parts(self) -> None:
        self.messages = MessageBar()
        self.viewport = Viewport(self.tiles)
        self.viewport.inertia = self.settings.inertia
        self.viewport.minimap.visible = self.settings.minimap
        self.viewport.scale_bar.visible = self.settings.scale_bar
        self.splitter = QSplitter(Qt.Orientation.Horizontal)  # a second, synchronised viewport goes in here
        self.splitter.addWidget(self.viewport)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self.splitter, 1)
        self.setCentralWidget(centre)
        style = HeatmapStyle(
            model=self.settings.model,
            lut=self.settings.lut,
            mode=self.settings.heatmap_mode,
            opacity=self.settings.heatmap_opacity,
            threshold=self.settings.threshold,
        )
        self.heatmap_panel = HeatmapPanel(style)
        self.refocus_panel = RefocusPanel()
        self.plane_panel = PlanePanel()
        self.slide_panel = SlidePanel()
        self.slide_list = SlideList()
        self.slides = SlideController(self.jobs, self.tiles)
        self.heatmap = HeatmapController(self.jobs, self.viewport, self.heatmap_panel)
        self.refocus = RefocusController(self.jobs, self.tiles, self.viewport, self.refocus_panel)

    def _build_docks(self) -> None:
        self.left = self._dock("Slides", "slides", self.slide_list, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.plane_section = Section("Focal plane", self.plane_panel)
        self.heatmap_section = Section("Heatmap", self.heatmap_panel)
        self.refocus_section = Section("Refocus", self.refocus_panel)
        self.slide_section = Section("Slide", self.slide_panel)
        panels = QWidget()
        column = QVBoxLayout(panels)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for section in (self.plane_section, self.heatmap_section, self.refocus_section, self.slide_section):
            column.addWidget(section)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(panels)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumWidth(RIGHT_WIDTH)
        self.right = self._dock("Tools", "tools", scroll, Qt.DockWidgetArea.RightDockWidgetArea)
        self.resizeDocks([self.left, self.right], [LEFT_WIDTH, RIGHT_WIDTH], Qt.Orientation.Horizontal)

    def _dock(self, title: str, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        self.addDockWidget(area, dock)
        return dock

    def _build_status(self) -> None:
        self.position, self.zoom, self.blur = QLabel(), QLabel(), QLabel()
        self.position.setMinimumWidth(200)
        self.zoom.setMinimumWidth(130)
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.setFixedHeight(STATUS_HEIGHT)  # it must not grow with a job's buttons: the picture would jump
        bar.setContentsMargins(8, 0, 4, 0)
        for label in (self.position, self.zoom, self.blur):
            bar.addWidget(label)
        bar.addPermanentWidget(JobList(self.jobs))

    def _make_actions(self) -> dict[str, QAction]:
        made = {}
        for record in self.commands:
            action = QAction(record.text, self)
            action.setObjectName(record.id)
            if record.icon:
                theme.bind_icon(action, record.icon)
            action.setShortcuts([QKeySequence(key) for key in record.shortcuts])
            action.setCheckable(record.checkable)
            action.setChecked(record.checked)
            action.setToolTip(self._tip(record))
            if record.checkable:
                action.toggled.connect(record.callback)
            else:
                action.triggered.connect(lambda _checked=False, call=record.callback: call())
            if record.scope == "viewport":
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
                self.viewport.addAction(action)
            else:
                self.addAction(action)
            made[record.id] = action
        return made

    @staticmethod
    def _tip(record: ActionRecord) -> str:
        text = record.tip or record.text.replace("&", "").rstrip("…")
        keys = ", ".join(dialogs.native_keys(record.shortcuts))
        return f"{text} ({keys})" if keys else text

    def _build_menus(self) -> None:
        for group, records in self.commands.groups().items():
            shown = [record for record in records if record.menu]
            if not shown:
                continue
            menu = self.menuBar().addMenu(f"&{group.capitalize()}")
            for record in shown:
                if record.separator:
                    menu.addSeparator()
                menu.addAction(self.actions_by_id[record.id])
            if group == "file":
                self.recent_menu = menu.addMenu("Open &recent")
                menu.insertMenu(self.actions_by_id["file.close"], self.recent_menu)
        bar = QToolBar("Toolbar")
        bar.setObjectName("toolbar")
        bar.setMovable(False)
        for name in commands.TOOLBAR:
            if name:
                bar.addAction(self.actions_by_id[name])
            else:
                bar.addSeparator()
        self.addToolBar(bar)
        self._fill_recent()

    def _connect(self) -> None:
        self.viewport.view_changed.connect(self._view_changed)
        self.viewport.pointed.connect(self._pointed)
        self.viewport.plane_turned.connect(self.turn_plane)
        self.tiles.failed.connect(self._tile_failed)
        self.tiles.arrived.connect(self._tile_arrived)
        self.slides.current_changed.connect(self._show_document)
        self.slides.documents_changed.connect(self._documents_changed)
        self.slides.opened.connect(self._opened)
        self.slides.scale_changed.connect(self._scale_changed)
        self.slides.pictures_ready.connect(self._pictures_ready)
        self.slides.folder_found.connect(self._folder_found)
        for source in (self.slides.failed, self.heatmap.failed, self.refocus.failed, self.jobs.error):
            source.connect(self.show_error)
        self.slide_list.document_chosen.connect(self.slides.show)
        self.slide_list.document_closed.connect(self.slides.close)
        self.slide_list.path_chosen.connect(self._open_one)
        self.plane_panel.plane_chosen.connect(self.set_plane)
        self.refocus.plane_wanted.connect(self.set_plane)
        self.heatmap_panel.region_chosen.connect(self._go_to_region)
        for panel in (self.plane_panel, self.refocus_panel, self.slide_panel):
            panel.scale_requested.connect(self.ask_scale)
        self.refocus_panel.save_requested.connect(self.ask_save_refocused)

    def load_registries(self) -> None:
        """Fill the lists of models and engines, in workers (after the window is there)."""
        self.heatmap.load_models()
        self.refocus.load_engines(self.settings.engine)

    # --- documents -----------------------------------------------------------------------------------------

    @property
    def document(self) -> Document | None:
        """The slide that is shown."""
        return self.slides.current

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open files and folders."""
        self.slides.open([Path(path) for path in paths])

    @Slot(object)
    def _open_one(self, path: Path) -> None:
        self.open_paths([path])

    @Slot(object)
    def _show_document(self, document: Document | None) -> None:
        self._worst_index = -1
        self.viewport.show_document(document)
        self.slide_panel.show_document(document)
        self.plane_section.setVisible(document is not None and len(document.planes_um) > 1)
        self.heatmap.show_document(document)
        self.refocus.show_document(document)
        self.setWindowTitle(f"{document.name} — {TITLE}" if document else TITLE)
        self.slide_list.show_documents(self.slides.documents, document)
        self._show_plane()
        self._view_changed()
        for name in ("file.close", "file.snapshot", "file.scale", "file.save_refocused"):
            self.actions_by_id[name].setEnabled(document is not None)
        for name, action in self.actions_by_id.items():
            if name.startswith(("focus.", "view.fit", "view.zoom", "view.actual", "view.preset")):
                action.setEnabled(document is not None)
        for index in range(len(scales.PRESETS)):
            text = scales.preset_text(index, document.mpp if document else None)
            self.actions_by_id[f"view.preset_{index + 1}"].setText(text)
        self._ask_for_scale_once(document)

    @Slot()
    def _documents_changed(self) -> None:
        self.slide_list.show_documents(self.slides.documents, self.document)

    @Slot(object)
    def _opened(self, document: Document) -> None:
        self.settings.remember(document.path)
        self.settings.last_folder = str(document.path.parent)
        self._fill_recent()
        self.viewport.setFocus()

    @Slot(object, object)
    def _pictures_ready(self, document: Document, pictures: dict) -> None:
        if document is self.document:
            self.slide_panel.show_pictures(pictures)

    @Slot(object)
    def _folder_found(self, paths: list[Path]) -> None:
        self.open_paths(paths)

    @Slot()
    def close_current(self) -> None:
        """Close the slide that is shown."""
        if self.document is not None:
            self.slides.close(self.document)

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for text in self.settings.recent:
            action = self.recent_menu.addAction(Path(text).name)
            action.setToolTip(text)
            action.triggered.connect(lambda _checked=False, path=Path(text): self._open_one(path))
        self.recent_menu.setEnabled(bool(self.settings.recent))
        self.slide_list.show_recent(self.settings.recent)

    # --- scale ---------------------------------------------------------------------------------------------

    def _ask_for_scale_once(self, document: Document | None) -> None:
        if document is None or document.mpp is not None or document.slide.fingerprint in self._asked_scale:
            return
        self._asked_scale.add(document.slide.fingerprint)
        stated = document.slide.info.stated_mpp
        why = "" if stated is None else f" (its file says {stated:.4g} µm, which cannot be)"
        text = f"The pixel size of {document.name} is not known{why}. Lengths and refocusing need it."
        self.messages.show_message(text, "warning", ("Set scale…", self.ask_scale))

    @Slot()
    def ask_scale(self) -> None:
        """Ask how large a pixel is."""
        document = self.document
        if document is None:
            return
        dialog = dialogs.ScaleDialog(document, self)
        dialog.accepted.connect(lambda: self.slides.set_scale(document, dialog.answer()))
        self._open_dialog(dialog)

    @Slot(object)
    def _scale_changed(self, document: Document) -> None:
        if document is self.document:
            document.maps.clear()
            self._show_document(document)
            self.refocus.scale_changed()

    # --- view ----------------------------------------------------------------------------------------------

    @Slot()
    def _view_changed(self) -> None:
        document = self.document
        self.zoom.setText(scales.zoom_text(document.view.scale, document.mpp) if document else "")

    @Slot(float, float)
    def _pointed(self, x: float, y: float) -> None:
        if self.document is None or math.isnan(x):
            self.position.clear()
            self.blur.clear()
            return
        self.position.setText(scales.position_text(x, y, self.document.mpp))
        blur = self.heatmap.blur_at(x, y)
        self.blur.setText(f"blur {blur}" if blur else "")

    @Slot(object)
    def _tile_arrived(self, key: object) -> None:
        for document in self.slides.documents:
            if key == self.tiles.top_key(document.pyramid, document.view.plane):
                image = self.tiles.get(key)
                if image is not None:
                    self.slide_list.set_thumb(document, image)

    @Slot(object, str)
    def _tile_failed(self, key: object, reason: str) -> None:
        document = self.document
        if document is None:
            return
        document.bad_tiles += 1
        if document.bad_tiles == 1:
            self.show_error(f"A part of {document.name} cannot be read and is shown coarser or empty. {reason}")

    def zoom_preset(self, index: int) -> None:
        """Zoom to one of the presets."""
        if self.document is not None:
            self.viewport.zoom_to(scales.preset_scale(index, self.document.mpp))

    @Slot(int)
    def set_plane(self, plane: int) -> None:
        """Show an acquired plane."""
        if self.document is None or plane == self.document.view.plane:
            return
        self.viewport.set_plane(plane)
        self._show_plane()
        self.heatmap.plane_changed()
        self.refocus.plane_changed()

    @Slot(int)
    def turn_plane(self, steps: int) -> None:
        """Go up or down through the planes."""
        if self.document is not None:
            last = len(self.document.planes_um) - 1
            self.set_plane(min(max(self.document.view.plane + steps, 0), last))

    def _show_plane(self) -> None:
        document = self.document
        if document is not None:
            known = document.slide.info.z_step_known
            self.plane_panel.show_planes(document.planes_um, document.view.plane, known)

    def show_minimap(self, on: bool) -> None:
        """Show or hide the minimap."""
        self.settings.minimap = self.viewport.minimap.visible = on
        self.viewport.update()

    def show_scale_bar(self, on: bool) -> None:
        """Show or hide the scale bar."""
        self.settings.scale_bar = self.viewport.scale_bar.visible = on
        self.viewport.update()

    def set_inertia(self, on: bool) -> None:
        """Let the picture glide after dragging, or not."""
        self.settings.inertia = self.viewport.inertia = on

    def toggle_slides(self) -> None:
        """Show or hide the left panel."""
        self.left.setVisible(not self.left.isVisible())

    def toggle_tools(self) -> None:
        """Show or hide the right panel."""
        self.right.setVisible(not self.right.isVisible())

    def set_theme(self, name: str) -> None:
        """Choose the colours of the window."""
        self.settings.theme = name
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply_theme(app, name)

    # --- focus ---------------------------------------------------------------------------------------------

    def run_heatmap(self) -> None:
        """Map the focus of the slide."""
        self.heatmap_section.unfold()
        self.heatmap.run()

    def toggle_overlay(self) -> None:
        """Show or hide the map."""
        self.heatmap_panel.visible_box.toggle()

    def next_worst(self) -> None:
        """Go to the next region of the worst list."""
        regions = self.heatmap_panel.worst
        if regions.count():
            self._worst_index = (self._worst_index + 1) % regions.count()
            item = regions.item(self._worst_index)
            regions.setCurrentItem(item)
            self._go_to_region(item.data(Qt.ItemDataRole.UserRole))

    @Slot(object)
    def _go_to_region(self, region: tuple[float, float, float, float]) -> None:
        self.viewport.go_to_rect(*region)
        self.viewport.setFocus()

    def toggle_refocus(self) -> None:
        """Switch refocusing on or off."""
        self.refocus_section.unfold()
        self.refocus.toggle()

    def auto_focus(self) -> None:
        """Sharpest focus of the view."""
        self.refocus_section.unfold()
        self.refocus.auto()

    def all_in_focus(self) -> None:
        """Every part at its best focus."""
        self.refocus_section.unfold()
        self.refocus.all_in_focus()

    def turn_knob(self, step_um: float) -> None:
        """Turn the focus knob a little."""
        if self.refocus.is_on:
            self.refocus_panel.spin.setValue(self.refocus_panel.spin.value() + step_um)

    def show_scan(self) -> None:
        """Back to the scanned pixels."""
        self.refocus_panel.reset.click()

    # --- saving --------------------------------------------------------------------------------------------

    def snapshot(self, path: Path) -> None:
        """Save what the picture shows; the file is written by a worker."""
        document = self.document
        if document is None:
            return
        image = self.viewport.grab().toImage()
        facts = {
            "Source": document.name,
            "Fingerprint": document.slide.fingerprint,
            "Region": [round(value) for value in document.view.rect()],
            "PlaneUm": document.plane_um,
            "Software": f"FocusViewer {__version__}",
        }
        if self.refocus.shown is not None:
            facts.update(self.refocus.facts())
        mpp = document.mpp / document.view.scale if document.mpp else None

        def work(job: Job) -> None:
            save_picture(path, from_qimage(image), facts, mpp)

        self._save(work, path)

    def save_refocused(self, path: Path) -> None:
        """Save the synthesised pixels with what is known about them."""
        shown = self.refocus.shown
        if shown is None:
            self.show_error("There is no refocused picture to save. Switch Refocus on and turn the knob.")
            return
        facts = {**self.refocus.facts(), "Software": f"FocusViewer {__version__}"}
        self._save(lambda job: save_picture(path, shown.pixels, facts, shown.area.mpp), path)

    def _save(self, work, path: Path) -> None:
        self.jobs.start(
            f"save {path}",
            work,
            lane=Lane.FILES,
            title=f"Saving {path.name}",
            done=lambda _: self.messages.show_message(f"Saved {path}", "info"),
            failed=self.show_error,
        )

    # --- dialogs -------------------------------------------------------------------------------------------

    def _open_dialog(self, dialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    @Slot()
    def ask_open(self) -> None:
        """Let the user choose files."""
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SLIDE_SUFFIXES))
        filters = f"Slides and images ({patterns});;All files (*)"
        dialog = QFileDialog(self, "Open slides", self.settings.last_folder, filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._files_chosen)
        self._open_dialog(dialog)

    @Slot()
    def ask_open_folder(self) -> None:
        """Let the user choose a folder: a stack of plane images, or slides."""
        dialog = QFileDialog(self, "Open a folder of focal planes or slides", self.settings.last_folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.filesSelected.connect(self._files_chosen)
        self._open_dialog(dialog)

    @Slot(list)
    def _files_chosen(self, names: list[str]) -> None:
        self.open_paths([Path(name) for name in names])

    def _ask_picture(self, title: str, stem: str, chosen) -> None:
        dialog = QFileDialog(self, title, str(Path(self.settings.last_folder) / f"{stem}.png"), PICTURES)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.selectFile(f"{stem}.png")
        dialog.fileSelected.connect(lambda name: chosen(Path(name)))
        self._open_dialog(dialog)

    @Slot()
    def ask_snapshot(self) -> None:
        """Ask where to save what the picture shows."""
        if self.document is not None:
            self._ask_picture("Save snapshot", f"{self.document.path.stem}-view", self.snapshot)

    @Slot()
    def ask_save_refocused(self) -> None:
        """Ask where to save the synthesised picture."""
        if self.document is None or self.refocus.shown is None:
            self.show_error("There is no refocused picture to save. Switch Refocus on and turn the knob.")
            return
        self._ask_picture("Save refocused picture", f"{self.document.path.stem}-refocused", self.save_refocused)

    def show_help(self) -> None:
        """Open the help."""
        self._open_dialog(dialogs.help_dialog(self))

    def show_shortcuts(self) -> None:
        """Open the shortcut sheet."""
        self._open_dialog(dialogs.shortcut_sheet(self.commands, self))

    def show_about(self) -> None:
        """Say what this program is."""
        self._open_dialog(dialogs.AboutDialog(self))

    @Slot(str)
    def show_error(self, text: str) -> None:
        """Show an error as a message in the window."""
        self.messages.show_message(text, "error")

    # --- window events -------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.open_paths(paths)

    def _restore_layout(self) -> None:
        if self.settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self.settings.geometry.encode()))
        if self.settings.layout:
            self.restoreState(QByteArray.fromBase64(self.settings.layout.encode()))

    def _collect_settings(self) -> None:
        style = self.heatmap_panel.style_now
        settings = self.settings
        settings.geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        settings.layout = bytes(self.saveState().toBase64().data()).decode()
        settings.model, settings.lut = style.model, style.lut
        settings.heatmap_mode, settings.heatmap_opacity = style.mode, style.opacity
        settings.threshold = style.threshold
        settings.engine = self.refocus_panel.engine_name

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the settings, stop all workers, let go of the files."""
        event.accept()
        if self._is_closed:
            return
        self._is_closed = True
        self._collect_settings()
        self.hide()  # the window is gone at once, whatever the workers still finish
        self._show_document(None)
        self.messages.clear()
        self.jobs.close()
        self.tiles.close()
        self.slides.close_all()
        if self._remember:
            with contextlib.suppress(UserError):  # nothing is painted any more, and there is nobody left to tell
                save_settings(self.settings)
        self.closed.emit()
