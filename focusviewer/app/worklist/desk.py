"""The worklist's place in the window: its panel, its menu, and what is asked of the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QDockWidget

from focusviewer.app.widgets import choosers
from focusviewer.app.worklist.panel import WIDTH
from focusviewer.app.worklist.review import ReviewController

if TYPE_CHECKING:
    from focusviewer.app.window import MainWindow


class WorklistDesk(QObject):
    """Shows what belongs to a worklist while one is open."""

    def __init__(self, window: MainWindow, dock: QDockWidget) -> None:
        super().__init__()
        self._window, self._dock = window, dock
        self.review = ReviewController(window)
        self.review.opened_changed.connect(self.show_state)
        self.review.reader_wanted.connect(self.ask_reader)
        self.review.failed.connect(window.show_error)
        window.verdict_panel.reader_requested.connect(self.ask_reader)
        window.worklist_panel.open_requested.connect(self.ask_open)
        window.slides.worklist_found.connect(self._found)

    @Slot()
    def ask_open(self) -> None:
        """Let the user choose a worklist."""
        choosers.choose_worklist(self._window, self._window.settings.last_folder, self._window.open_paths)

    @Slot()
    def ask_reader(self) -> None:
        """Ask who gives verdicts."""
        choosers.ask_reader(self._window, self.review.reader.name, self.review.set_reader)

    @Slot(bool)
    def show_state(self, is_open: bool) -> None:
        """Show the panels and enable the menu, or not."""
        window = self._window
        window.tools.verdict_section.setVisible(is_open)
        window.menus.enable_group("worklist", is_open)
        if is_open:
            self._dock.show()
            self._dock.raise_()
            window.resizeDocks([self._dock], [max(WIDTH, self._dock.width())], Qt.Orientation.Horizontal)
        elif not window.worklist_panel.isVisible():
            self._dock.hide()

    @Slot(object)
    def _found(self, path: Path) -> None:
        self._window.remember(path)
        self.review.open(path)
