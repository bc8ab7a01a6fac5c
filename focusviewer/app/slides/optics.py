"""Measuring the optics of the scanner of a slide, from the window."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.settings import Settings
from focusviewer.app.slides.optics_dialog import OpticsDialog
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets import choosers
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.optics.profile import OpticsProfile

if TYPE_CHECKING:
    from focusviewer.refocus.wiener.measuring import Measured

KIND = "optics"
Found = tuple[str, "OpticsProfile | None"]
"""Key of a scanner, and its profile."""


class OpticsController(QObject):
    """Opens the dialog of the optics, and measures and forgets them in a worker.

    Signals
    -------
    changed : (Document) the profile of the slide's scanner is another, or none
    """

    changed = Signal(object)

    def __init__(self, window: QWidget, jobs: Jobs, messages: MessageBar, settings: Settings) -> None:
        super().__init__()
        self._window, self._jobs, self._messages, self._settings = window, jobs, messages, settings
        self._dialog: OpticsDialog | None = None

    def ask(self, document: Document) -> None:
        """Open the dialog of a slide's scanner."""
        dialog = OpticsDialog(document, self._window)
        dialog.stack_requested.connect(lambda: self.measure_stack(document))
        dialog.pair_requested.connect(lambda: self._choose_pair(document))
        dialog.forget_requested.connect(lambda: self.forget(document))
        dialog.finished.connect(self._closed)
        self._dialog = dialog
        self._look_up(document)
        choosers.open_dialog(dialog)

    def measure_stack(self, document: Document) -> None:
        """Measure on the planes of a slide."""

        def work(job: Job) -> Measured:
            from focusviewer.refocus.wiener.measuring import profile_of_stack

            return profile_of_stack(document.slide, on_progress=_shown(job), cancel=job.cancel)

        self._measure(document, work)

    def measure_pair(self, document: Document, paths: list[Path]) -> None:
        """Measure on two files of the same field; the sharper one is taken for the one in focus."""

        def work(job: Job) -> Measured:
            from focusviewer.focus.calibration.store import scanner_key
            from focusviewer.refocus.wiener.measuring import profile_of_pair, sharper_first
            from focusviewer.slides import open_slide

            with ExitStack() as stack:
                slides = []
                for path in paths:
                    slides.append(open_slide(path, mpp=document.mpp))
                    stack.callback(slides[-1].close)
                first, second = sharper_first(*slides)
                key = scanner_key(document.slide)
                return profile_of_pair(first, second, scanner=key, on_progress=_shown(job), cancel=job.cancel)

        self._measure(document, work)

    def forget(self, document: Document) -> None:
        """Forget the profile of a slide's scanner."""

        def work(job: Job) -> Found:
            from focusviewer.focus.calibration.profiles import forget_profiles
            from focusviewer.focus.calibration.store import scanner_key

            key = scanner_key(document.slide)
            forget_profiles(key)
            return key, None

        self._start(document, work, changes=True)

    def _choose_pair(self, document: Document) -> None:
        def chosen(paths: list[Path]) -> None:
            if len(paths) == 2:
                self.measure_pair(document, paths)
            else:
                self._messages.show_message("Choose two files: a field in focus, and the same field out of focus.")

        choosers.choose_pair(self._window, self._settings.last_folder, chosen)

    def _measure(self, document: Document, measured: Callable[[Job], Measured]) -> None:
        def work(job: Job) -> Found:
            from focusviewer.focus.calibration.profiles import keep_profile

            found = measured(job)
            keep_profile(found.profile)
            return found.profile.scanner, found.profile

        self._start(document, work, changes=True, title=f"Measuring the optics on {document.name}")

    def _look_up(self, document: Document) -> None:
        def work(job: Job) -> Found:
            from focusviewer.focus.calibration.profiles import find_profile
            from focusviewer.focus.calibration.store import scanner_key

            return scanner_key(document.slide), find_profile(document.slide)

        if self._jobs.running(KIND):
            return  # the dialog follows what is being measured
        self._start(document, work, changes=False)

    def _start(self, document: Document, work: Callable[[Job], Found], *, changes: bool, title: str = "") -> None:
        def done(found: Found) -> None:
            if self._dialog is not None:
                self._dialog.show_profile(*found)
            if changes:
                self._prepare(found[1])
                self.changed.emit(document)

        def failed(text: str) -> None:
            self._messages.show_message(text, "error")
            if self._dialog is not None and title:
                self._look_up(document)

        def partial(share: float, payload: object) -> None:
            if self._dialog is not None:
                self._dialog.show_work(share)

        self._jobs.start(
            KIND, work, lane=Lane.ANALYSIS, title=title, done=done, failed=failed,
            partial=partial, needs=document.slide,
        )  # fmt: skip
        if title and self._dialog is not None:
            self._dialog.show_work(0.0)

    def _prepare(self, profile: OpticsProfile | None) -> None:
        """Compute the operators of a new lens, which take seconds, while the user looks at its figures."""

        def work(job: Job) -> None:
            from focusviewer.refocus.base import SUPPORTED_MPP
            from focusviewer.refocus.fast.operators import operator_bank

            if profile is not None and SUPPORTED_MPP[0] <= profile.mpp <= SUPPORTED_MPP[1]:
                operator_bank(round(profile.mpp, 3), profile.optics)

        self._jobs.start("operators", work, lane=Lane.ANALYSIS)

    def _closed(self) -> None:
        self._dialog = None


def _shown(job: Job) -> Callable[[float], None]:
    """Report progress to the status bar and, with a payload, to the dialog."""
    return lambda share: job.report(share, True)
