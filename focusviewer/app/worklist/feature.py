"""The worklist in the window: its panels, its commands, and what is asked of the reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from focusviewer.app.heatmap.controller import HeatmapController
from focusviewer.app.services.actions import ActionRecord
from focusviewer.app.services.jobs import Jobs
from focusviewer.app.services.settings import Settings
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets import choosers
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.widgets.common import Section
from focusviewer.app.worklist.panel import WorklistPanel
from focusviewer.app.worklist.review import ReviewController
from focusviewer.app.worklist.verdict_panel import KEYS, VerdictPanel
from focusviewer.qc.verdicts.judgement import Verdict


class WorklistFeature(QObject):
    """Shows what belongs to a worklist while one is open.

    Parameters
    ----------
    parent : QWidget
        What the dialogs belong to.

    Signals
    -------
    opened_changed : (is_open)
    found : (path) a worklist was opened from there
    """

    opened_changed = Signal(bool)
    found = Signal(object)
    failed = Signal(str)

    def __init__(
        self,
        jobs: Jobs,
        slides: SlideController,
        heatmap: HeatmapController,
        viewport: Viewport,
        messages: MessageBar,
        settings: Settings,
        parent: QWidget,
        open_paths: Callable[[Sequence[Path]], None],
    ) -> None:
        super().__init__()
        self._settings, self._parent, self._open_paths = settings, parent, open_paths
        self.panel = WorklistPanel()
        self.verdicts = VerdictPanel()
        self.section = Section("Verdict", self.verdicts)
        self.section.hide()
        self.review = ReviewController(
            jobs, slides, heatmap, viewport, messages, settings, self.panel, self.verdicts, open_paths
        )
        self.review.opened_changed.connect(self._show_open)
        self.review.reader_wanted.connect(self.ask_reader)
        self.review.failed.connect(self.failed)
        self.verdicts.reader_requested.connect(self.ask_reader)
        self.panel.open_requested.connect(self.ask_open)
        slides.worklist_found.connect(self._open)

    @Slot()
    def ask_open(self) -> None:
        """Let the user choose a worklist."""
        choosers.choose_worklist(self._parent, self._settings.last_folder, self._open_paths)

    @Slot()
    def ask_reader(self) -> None:
        """Ask who gives verdicts."""
        choosers.ask_reader(self._parent, self.review.reader.name, self.review.set_reader)

    @Slot(bool)
    def _show_open(self, is_open: bool) -> None:
        self.section.setVisible(is_open)
        self.opened_changed.emit(is_open)

    @Slot(object)
    def _open(self, path: Path) -> None:
        self.found.emit(path)
        self.review.open(path)

    def close(self) -> None:
        """Close the worklist, after what is still being written."""
        self.review.close()

    def shut_down(self) -> None:
        """Let go of the file, when the workers have ended."""
        self.review.shut_down()

    # --- commands ------------------------------------------------------------------------------------------

    def actions(self) -> list[ActionRecord]:
        """The commands for reading through a worklist."""
        return [
            ActionRecord(
                "file.open_worklist",
                "Open &worklist…",
                self.ask_open,
                "open",
                ("Ctrl+Shift+L",),
                "Open what “focusviewer qc” has judged",
            ),
            *self._verdict_actions(),
            *self._moving_actions(),
            ActionRecord("worklist.reader", "Reader…", self.ask_reader, needs="worklist"),
            ActionRecord("worklist.close", "Close worklist", self.review.close, needs="worklist"),
        ]

    def _verdict_actions(self) -> list[ActionRecord]:
        review = self.review
        verdicts = [
            ActionRecord(
                f"worklist.{verdict.value.lower()}",
                f"Verdict: {verdict.value}",
                partial(review.give, verdict),
                shortcuts=(KEYS[verdict],),
                tip=f"The selected slide: {verdict.value}",
                needs="worklist",
            )
            for verdict in Verdict
        ]
        return [
            *verdicts,
            ActionRecord("worklist.undo", "Undo the last verdict", review.undo, "undo", ("Ctrl+Z",), needs="worklist"),
            ActionRecord("worklist.note", "Write a note", review.edit_note, shortcuts=("Shift+N",), needs="worklist"),
            ActionRecord(
                "worklist.blinded",
                "Blinded reading on or off",
                self.verdicts.blinded.toggle,
                shortcuts=("Ctrl+B",),
                tip="Hide what was found until you have judged a slide",
                needs="worklist",
            ),
        ]

    def _moving_actions(self) -> list[ActionRecord]:
        walk = self.review.walk
        records = (
            ("next", "Next slide", partial(walk.step, 1), "J", ""),
            ("previous", "Previous slide", partial(walk.step, -1), "K", ""),
            ("next_to_do", "Next slide to judge", walk.next_to_do, "Shift+J", ""),
            ("open", "Open the selected slide", walk.open_slide, "Ctrl+Return", ""),
            (
                "next_region",
                "Next blurred region",
                partial(walk.step_region, 1),
                "W",
                "The next blurred region of the slide, from the worst to the least",
            ),
            ("previous_region", "Previous blurred region", partial(walk.step_region, -1), "Shift+W", ""),
            ("find", "Find in the list", self.panel.search.setFocus, "Ctrl+F", ""),
        )
        return [
            ActionRecord(f"worklist.{name}", text, callback, shortcuts=(key,), tip=tip, needs="worklist")
            for name, text, callback, key, tip in records
        ]
