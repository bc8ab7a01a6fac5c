"""Judging many slides: each once, whatever is killed meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import UserError
from focusviewer.focus.base import FocusModel
from focusviewer.qc.batch.discover import Found
from focusviewer.qc.batch.pool import Pool
from focusviewer.qc.batch.slide_task import (
    RELATIVE_MODEL,
    Identified,
    IdentifyTask,
    VerdictTask,
    calibrations_of,
    full_version,
)
from focusviewer.qc.batch.tasks import Answer, Task
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import FileRow, Result, SlideFacts, SlideRow, parts_of_one
from focusviewer.qc.worklist.store import Worklist
from focusviewer.qc.worklist.summary import BatchProgress, QcSummary

OnProgress = Callable[[BatchProgress], None]
TRIES = 2
"""How often a file is tried."""

_LOOK_S = 0.5


@dataclass
class Batch:
    """Judges slides with a pool of workers and keeps the worklist.

    Only this side writes to the worklist; workers write the slides' folders. A slide counts as done once its result
    stands in the worklist, so whatever is killed loses at most the slides at work.

    Parameters
    ----------
    worklist : Worklist
        Its folder takes the results.
    pool : Pool
    rules, model :
        What slides are judged by.
    on_progress : callable, optional
        Called from the calling thread after every slide.
    cancel : threading.Event, optional
        Set it to stop.
    retry_failed : bool
        Try files again that failed in an earlier run.
    """

    worklist: Worklist
    pool: Pool
    rules: Rules
    model: FocusModel
    on_progress: OnProgress | None = None
    cancel: threading.Event | None = None
    retry_failed: bool = False
    _done_now: int = field(default=0, init=False)
    _found: dict[Path, Identified] = field(default_factory=dict, init=False)  # by this run

    def __post_init__(self) -> None:
        """Fix what scores are read by: the same for every slide and on every machine."""
        self._calibrations = calibrations_of(self.model.name)
        self._version = full_version(self.model, self._calibrations)

    def run(self, found: Found) -> QcSummary:
        """Judge what is not judged yet; returns what became of every file.

        Raises
        ------
        UserError
            If results cannot be written.
        CancelledError
            If ``cancel`` was set.
        """
        started, self._done_now = time.monotonic(), 0
        for path, reason in found.failures.items():
            self.worklist.forget_failures(path)
            self.worklist.record_failure(path, reason)
        known = self._identified(found.slides)
        first = self._first_of_each(known)
        rows = {row.facts.fingerprint: row for row in self.worklist.slides()}
        given_up = {failure.path for failure in self.worklist.failures() if failure.attempt >= TRIES}
        waiting = [path for path, of in first.items() if not self._is_done(rows[of]) and path not in given_up]
        earlier = sum(self._is_done(rows[of]) for of in first.values())
        self._run_slides(waiting)
        return self._summary(found, known, first, earlier, time.monotonic() - started)

    # -- identification

    def _identified(self, paths: list[Path]) -> dict[Path, str]:
        """Fingerprint of every file that can be opened; opens those that have changed or are new."""
        known, unknown = {}, []
        seen = self.worklist.files()
        failures = {failure.path: failure for failure in self.worklist.failures()}
        there = {row.facts.fingerprint for row in self.worklist.slides() if row.facts.path.exists()}
        for path in paths:
            row, now = seen.get(path), _state(path)
            unchanged = row is not None and (row.size, row.modified_ns) == (now.size, now.modified_ns)
            if path in failures and (self.retry_failed or not unchanged):
                self.worklist.forget_failures(path)
                del failures[path]
            if row is not None and unchanged and row.fingerprint in there:
                known[path] = row.fingerprint
            elif path not in failures or failures[path].attempt < TRIES:
                self.worklist.note_file(now)
                unknown.append(path)
        self._found.clear()
        for path, found in self._answers([IdentifyTask(path, self.rules.file_name) for path in unknown]):
            if isinstance(found, Identified):
                self._found[path] = found
                self._enter(found.facts)
                known[path] = found.facts.fingerprint
        return dict(sorted(known.items()))

    def _enter(self, facts: SlideFacts) -> None:
        before = self.worklist.slide(facts.fingerprint)
        if before is None or self._takes_over(facts, before):
            self.worklist.add_slide(facts)
        self.worklist.forget_failures(facts.path)
        self.worklist.note_file(replace(_state(facts.path), fingerprint=facts.fingerprint))

    @staticmethod
    def _takes_over(facts: SlideFacts, before: SlideRow) -> bool:
        """Whether a file is listed in place of an equal one: when that has moved, or comes later by name and waits.

        The second makes no difference to people, but the list does not depend on which was opened first.
        """
        listed = before.facts.path
        return facts.path == listed or not listed.exists() or (before.result is None and facts.path < listed)

    def _first_of_each(self, known: dict[Path, str]) -> dict[Path, str]:
        """One file for each content: the first by name, or the one that is listed."""
        listed = {row.facts.fingerprint: row.facts.path for row in self.worklist.slides()}
        chosen: dict[str, Path] = {}
        for path, fingerprint in known.items():
            if fingerprint not in chosen or listed.get(fingerprint) == path:
                chosen[fingerprint] = path
        return dict(sorted((path, fingerprint) for fingerprint, path in chosen.items()))

    def _is_done(self, row: SlideRow) -> bool:
        result = row.result
        if result is None or result.judgement.rules != self.rules.label:
            return False
        features = result.features
        relative = result.model == RELATIVE_MODEL and (features.mpp is None or features.fluorescence)
        return relative or (result.model, result.model_version) == (self.model.name, self._version)

    # -- the work

    def _run_slides(self, paths: list[Path]) -> None:
        """Have slides judged, enter what was found, and tell how far the batch is."""
        began, failed = time.monotonic(), 0
        self._tell(BatchProgress(0, len(paths), 0, None))
        known = self._calibrations
        tasks = [
            VerdictTask(path, self.worklist.folder, self.rules, self.model.name, known, self._found.get(path))
            for path in paths
        ]
        for done, (path, result) in enumerate(self._answers(tasks), 1):
            if isinstance(result, Result):
                self.worklist.record(result)
                self._done_now += 1
            else:
                failed += 1
            left = (time.monotonic() - began) / done * (len(paths) - done)
            self._tell(BatchProgress(done, len(paths), failed, left, path.name))

    def _answers(self, tasks: Iterable[Task]) -> Iterable[tuple[Path, object]]:
        """What each task gave, as it comes; None for one that failed too often. Failures are recorded."""
        open_tasks = 0
        for task in tasks:
            self.pool.submit(task)
            open_tasks += 1
        while open_tasks:
            stop_if(self.cancel)
            got = self.pool.next(_LOOK_S)
            if got is None:
                continue
            task, answer = got
            if self._failed_for_now(task, answer):
                self.pool.submit(task)
                continue
            open_tasks -= 1
            value = answer.value
            if isinstance(value, Result):
                value = replace(value, seconds=answer.seconds)
            yield task.path, value

    def _failed_for_now(self, task: Task, answer: Answer) -> bool:
        """Record a failure; whether the task deserves another try."""
        if answer.fatal:
            raise UserError(answer.fatal)
        return bool(answer.failure) and self.worklist.record_failure(task.path, answer.failure) < TRIES

    def _tell(self, progress: BatchProgress) -> None:
        if self.on_progress is not None:
            self.on_progress(progress)

    # -- the end

    def _summary(
        self, found: Found, known: dict[Path, str], first: dict[Path, str], earlier: int, seconds: float
    ) -> QcSummary:
        rows = {row.facts.fingerprint: row for row in self.worklist.slides()}
        verdicts = dict.fromkeys(Verdict, 0)
        for fingerprint in first.values():
            result = rows[fingerprint].result
            if result is not None:
                verdicts[result.judgement.verdict] += 1
        met = {*found.slides, *found.failures}
        chosen = {fingerprint: path for path, fingerprint in first.items()}
        others = {path: chosen[of] for path, of in known.items() if path not in first}
        duplicates = {path: other for path, other in others.items() if not parts_of_one(path, other)}
        return QcSummary(
            self.worklist.path,
            verdicts,
            self._done_now,
            earlier,
            tuple(failure for failure in self.worklist.failures() if failure.path in met),
            duplicates,
            tuple(found.left_out),
            seconds,
        )


def _state(path: Path) -> FileRow:
    try:
        status = path.stat()
    except OSError:  # opening it will say why
        return FileRow(path, "", -1, 0)
    return FileRow(path, "", status.st_size, status.st_mtime_ns)
