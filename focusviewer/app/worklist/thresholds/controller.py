"""Trying other thresholds on the worklist that is open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.widgets.plotting import load_plots
from focusviewer.app.worklist.lines import Line
from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.app.worklist.state import Listing, WorklistState
from focusviewer.app.worklist.thresholds.roc import roc_curve
from focusviewer.app.worklist.thresholds.state import ThresholdPreviewState
from focusviewer.app.worklist.thresholds.trial import ThresholdEffect, ThresholdTrial
from focusviewer.qc.verdicts.rules import Rules, load_rules

REST_MS = 120
"""How long a slider rests before the list is judged again."""


class ThresholdController(QObject):
    """Judges the list again in a worker whenever a threshold has moved; writes nothing."""

    failed = Signal(str)

    def __init__(self, jobs: Jobs, worklist: WorklistState, state: ThresholdPreviewState) -> None:
        super().__init__()
        self._jobs, self._worklist, self.state = jobs, worklist, state
        self._trial = ThresholdTrial()
        self._plotted: Mapping[str, Line] = {}
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._run)
        for event in (state.events.rules, state.events.changes, state.events.loaded):
            event.connect(self._tried_changed)
        worklist.events.snapshot.connect(self._snapshot_changed)
        worklist.events.listing.connect(self._listing_changed)

    def open(self) -> None:
        """Begin anew, for a worklist that was opened."""
        self._trial = ThresholdTrial()
        self.state.reset()
        if self.state.shipped is None:
            self._jobs.start(
                "rules",
                lambda job: load_rules(),
                lane=Lane.FILES,
                done=self.state.take_shipped,
                failed=self.failed.emit,
            )

    @Slot()
    def load_plots(self) -> None:
        """Load the plotting library: the curve is to be drawn."""
        load_plots(self.state)

    def load(self, path: Path) -> None:
        """Try the rules of a file."""

        def done(rules: Rules) -> None:
            if self._worklist.is_open:
                self.state.load(rules)

        self._jobs.start("rules", lambda job: load_rules(path), lane=Lane.FILES, done=done, failed=self.failed.emit)

    def _tried_changed(self) -> None:
        state = self.state
        self._jobs.cancel("preview")
        state.waiting = state.tries_something
        if state.waiting:
            self._timer.start()
        else:
            self._timer.stop()
            state.effect = None

    def _snapshot_changed(self, new: Snapshot | None, old: Snapshot | None) -> None:
        """Judge what has changed as well."""
        if new is None:
            self._timer.stop()
            self._jobs.cancel("preview")
            self.state.reset()
        elif old is not None and self.state.tries_something and _results(old) != _results(new):
            self._timer.start()

    def _listing_changed(self, listing: Listing) -> None:
        if listing.lines is not self._plotted:  # another order or filter changes nothing
            self._plotted = listing.lines
            self.state.roc = roc_curve(listing.lines.values())

    @Slot()
    def _run(self) -> None:
        snapshot, rules, changes = self._worklist.snapshot, self.state.rules, dict(self.state.changes)
        if snapshot is None or rules is None:
            return
        trial = self._trial

        def work(job: Job) -> ThresholdEffect:
            return trial.run(list(snapshot.rows.values()), snapshot.folder, rules, changes, job.cancel)

        self._jobs.start("preview", work, lane=Lane.ANALYSIS, done=self._show, failed=self.failed.emit)

    def _show(self, effect: ThresholdEffect) -> None:
        self.state.waiting = False
        self.state.effect = effect


def _results(snapshot: Snapshot) -> list[object]:
    return [row.result for row in snapshot.rows.values()]
