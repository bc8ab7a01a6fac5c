"""Trying out thresholds on the worklist that is open."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.jobs import Job, Jobs, Lane
from focusviewer.app.models.worklist import Snapshot
from focusviewer.app.models.worklist_preview import Preview, Previewer
from focusviewer.app.views.choosers import choose_rules
from focusviewer.app.views.worklist_preview_panel import WorklistPreviewPanel
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, load_rules

REST_MS = 120
"""How long a slider rests before the list is judged again."""


class PreviewController(QObject):
    """Judges the list again in a worker whenever a threshold has moved; writes nothing."""

    changed = Signal()
    failed = Signal(str)

    def __init__(self, jobs: Jobs, panel: WorklistPreviewPanel) -> None:
        super().__init__()
        self._jobs, self.panel = jobs, panel
        self._previewer = Previewer()
        self._shipped: Rules | None = None
        self._rules: Rules | None = None  # that are tried: the shipped ones, or a file of the user's
        self._snapshot: Snapshot | None = None
        self._changes: dict[str, float] = {}
        self.moved: dict[str, Verdict] = {}
        """The program's verdicts that would be others."""
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._run)
        panel.changes_made.connect(self._changes_made)
        panel.rules_wanted.connect(self._choose)
        panel.reset_wanted.connect(self._reset)

    def open(self, snapshot: Snapshot) -> None:
        """Turn to a worklist."""
        self._snapshot, self._previewer = snapshot, Previewer()
        self._reset()
        if self._shipped is None:
            self._jobs.start(
                "rules", lambda job: load_rules(), lane=Lane.FILES, done=self._take_shipped, failed=self.failed.emit
            )

    def take(self, snapshot: Snapshot) -> None:
        """Judge what has changed as well."""
        old, self._snapshot = self._snapshot, snapshot
        if self._tries_something and (old is None or _results(old) != _results(snapshot)):
            self._timer.start()

    def close(self) -> None:
        """Stop."""
        self._timer.stop()
        self._jobs.cancel("preview")
        self._snapshot, self._changes, self.moved = None, {}, {}

    def load(self, path: Path) -> None:
        """Try the rules of a file."""
        self._jobs.start(
            "rules", lambda job: load_rules(path), lane=Lane.FILES, done=self._take_loaded, failed=self.failed.emit
        )

    @property
    def _tries_something(self) -> bool:
        return bool(self._changes) or self._rules is not self._shipped

    def _take_shipped(self, rules: Rules) -> None:
        self._shipped = self._rules = rules
        self.panel.set_rules(rules)

    def _take_loaded(self, rules: Rules) -> None:
        if self._snapshot is None:
            return
        self._rules, self._changes = rules, {}
        self.panel.set_rules(rules, loaded=True)
        self._timer.start()

    @Slot()
    def _choose(self) -> None:
        folder = "" if self._snapshot is None else str(self._snapshot.path.parent)
        choose_rules(self.panel, folder, self.load)

    @Slot()
    def _reset(self) -> None:
        self._rules = self._shipped
        if self._shipped is not None:
            self.panel.set_rules(self._shipped)
        self.panel.clear()

    @Slot(object)
    def _changes_made(self, changes: dict[str, float]) -> None:
        self._changes = changes
        self._jobs.cancel("preview")
        if self._tries_something:
            self._timer.start()
        else:
            self._timer.stop()
            self._show(None)

    @Slot()
    def _run(self) -> None:
        snapshot, rules, changes = self._snapshot, self._rules, dict(self._changes)
        if snapshot is None or rules is None:
            return
        previewer = self._previewer

        def work(job: Job) -> Preview:
            rows = list(snapshot.rows.values())
            return previewer.run(rows, snapshot.path.parent, rules, changes, job.cancel.is_set)

        self._jobs.start("preview", work, lane=Lane.ANALYSIS, done=self._show, failed=self.failed.emit)

    def _show(self, preview: Preview | None) -> None:
        self.moved = {} if preview is None else preview.moved
        self.panel.show_preview(preview)
        self.changed.emit()


def _results(snapshot: Snapshot) -> list[object]:
    return [row.result for row in snapshot.rows.values()]
