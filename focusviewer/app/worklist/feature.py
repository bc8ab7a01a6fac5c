"""The worklist in the window: its panels, its commands and its dialogs."""

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
from focusviewer.app.services.undo import UndoStacks
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets import choosers
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.widgets.common import Section
from focusviewer.app.worklist.lines import os_user
from focusviewer.app.worklist.navigator import WorklistNavigator
from focusviewer.app.worklist.panel import WorklistPanel
from focusviewer.app.worklist.review import ReviewController
from focusviewer.app.worklist.session import WorklistSession
from focusviewer.app.worklist.state import WorklistState
from focusviewer.app.worklist.thresholds.controller import ThresholdController
from focusviewer.app.worklist.thresholds.panel import ThresholdPanel
from focusviewer.app.worklist.thresholds.state import ThresholdPreviewState
from focusviewer.app.worklist.verdicts.controller import VerdictController
from focusviewer.app.worklist.verdicts.panel import KEYS, VerdictPanel
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
        undo: UndoStacks,
        parent: QWidget,
        open_paths: Callable[[Sequence[Path]], None],
    ) -> None:
        super().__init__()
        self._settings, self._parent, self._open_paths = settings, parent, open_paths
        state = self.state = WorklistState(reader=settings.reader or os_user(), advance=settings.next_after_verdict)
        tried = ThresholdPreviewState()
        self.panel = WorklistPanel(state, ThresholdPanel(tried))
        self.verdicts = VerdictPanel(state)
        self.section = Section("Verdict", self.verdicts)
        self.section.hide()
        self.session = WorklistSession(jobs)
        self.navigator = WorklistNavigator(state, slides, viewport, messages, open_paths)
        self.thresholds = ThresholdController(jobs, state, tried)
        self.review = ReviewController(
            state, self.session, self.thresholds, jobs, slides, heatmap, messages, self.panel, self.verdicts
        )
        self.verdict_controller = VerdictController(state, self.session, undo, self.navigator, messages, settings)
        self._connect()
        slides.worklist_found.connect(self._open)

    def _connect(self) -> None:
        panel, verdicts = self.panel, self.verdicts
        for source in (self.session, self.navigator, self.thresholds, self.review, self.verdict_controller):
            source.failed.connect(self.failed)
        self.review.opened_changed.connect(self._show_open)
        self.review.opened.connect(self._opened)
        panel.open_requested.connect(self.ask_open)
        panel.table.opened.connect(self.navigator.open_slide)
        panel.thresholds.rules_wanted.connect(self.ask_rules)
        panel.thresholds.roc.plot_requested.connect(self.thresholds.load_plots)
        verdicts.verdict_given.connect(self.verdict_controller.give)
        verdicts.note_entered.connect(self.verdict_controller.enter_note)
        verdicts.note_entered.connect(panel.table.setFocus)
        verdicts.undo_requested.connect(self.verdict_controller.undo)
        verdicts.region_chosen.connect(self.navigator.go_to_region)
        verdicts.reader_requested.connect(self.ask_reader)

    @Slot()
    def ask_open(self) -> None:
        """Let the user choose a worklist."""
        choosers.choose_worklist(self._parent, self._settings.last_folder, self._open_paths)

    @Slot()
    def ask_reader(self) -> None:
        """Ask who gives verdicts."""
        choosers.ask_reader(self._parent, self.state.reader, self.verdict_controller.set_reader)

    @Slot()
    def ask_rules(self) -> None:
        """Let the user choose rules to try on the list."""
        choosers.choose_rules(self.panel, str(self.state.folder or ""), self.thresholds.load)

    @Slot(bool)
    def _show_open(self, is_open: bool) -> None:
        self.section.setVisible(is_open)
        self.opened_changed.emit(is_open)

    @Slot()
    def _opened(self) -> None:
        if not self._settings.reader:
            self.ask_reader()

    @Slot(object)
    def _open(self, path: Path) -> None:
        self.found.emit(path)
        self.review.open(path)

    def close(self) -> None:
        """Close the worklist, after what is still being written; its slides stay open."""
        self.verdict_controller.save_note()
        self.session.close()

    def shut_down(self) -> None:
        """Close the file, when the workers have ended."""
        self.session.shut_down()

    # --- commands ------------------------------------------------------------------------------------------

    def actions(self) -> list[ActionRecord]:
        """The commands for reviewing a worklist."""
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
            ActionRecord("worklist.close", "Close worklist", self.close, needs="worklist"),
        ]

    def _verdict_actions(self) -> list[ActionRecord]:
        controller = self.verdict_controller
        verdicts = [
            ActionRecord(
                f"worklist.{verdict.value.lower()}",
                f"Verdict: {verdict.value}",
                partial(controller.give, verdict),
                shortcuts=(KEYS[verdict],),
                tip=f"The selected slide: {verdict.value}",
                needs="worklist",
            )
            for verdict in Verdict
        ]
        return [
            *verdicts,
            ActionRecord(
                "worklist.undo", "Undo the last verdict", controller.undo, "undo", ("Ctrl+Z",), needs="worklist"
            ),
            ActionRecord(
                "worklist.note", "Write a note", self.verdicts.edit_note, shortcuts=("Shift+N",), needs="worklist"
            ),
            ActionRecord(
                "worklist.blinded",
                "Blinded reading on or off",
                self.state.toggle_blinded,
                shortcuts=("Ctrl+B",),
                tip="Hide what was found until you have judged a slide",
                needs="worklist",
            ),
        ]

    def _moving_actions(self) -> list[ActionRecord]:
        navigator = self.navigator
        records = (
            ("next", "Next slide", partial(navigator.step, 1), "J", ""),
            ("previous", "Previous slide", partial(navigator.step, -1), "K", ""),
            ("next_to_do", "Next slide to judge", navigator.next_to_do, "Shift+J", ""),
            ("open", "Open the selected slide", navigator.open_slide, "Ctrl+Return", ""),
            (
                "next_region",
                "Next blurred region",
                partial(navigator.step_region, 1),
                "W",
                "The next blurred region of the slide, from the worst to the least",
            ),
            ("previous_region", "Previous blurred region", partial(navigator.step_region, -1), "Shift+W", ""),
            ("find", "Find in the list", self.panel.search.setFocus, "Ctrl+F", ""),
        )
        return [
            ActionRecord(f"worklist.{name}", text, callback, shortcuts=(key,), tip=tip, needs="worklist")
            for name, text, callback, key, tip in records
        ]
