"""Every file of a worklist as one entry: slides, files that failed, copies. What all outputs are made from."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import Failure, SlideRow, parts_of_one
from focusviewer.qc.worklist.store import Worklist

FAILED = "FAILED"
WAITING = "WAITING"


@dataclass(frozen=True)
class Entry:
    """One file.

    Attributes
    ----------
    row : SlideRow or None
        None for a file that could never be opened.
    failure : Failure or None
        Why it could not be judged, the last time that was tried.
    same_as : Path or None
        The listed file that has the same content.
    """

    path: Path
    row: SlideRow | None = None
    failure: Failure | None = None
    same_as: Path | None = None

    @property
    def status(self) -> str:
        """What counts, in one word: PASS, REVIEW, RESCAN, FAILED or WAITING."""
        if self.row is not None and self.row.verdict is not None:
            return self.row.verdict.value
        return FAILED if self.failure is not None else WAITING

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in words."""
        if self.row is not None and self.row.result is not None:
            return self.row.result.judgement.reasons
        return (self.failure.reason,) if self.failure is not None else ()

    @property
    def disagreed(self) -> bool:
        """Whether a person and the program gave different verdicts."""
        row = self.row
        if row is None or row.person is None or row.result is None:
            return False
        return row.person.verdict != row.result.judgement.verdict


def entries(worklist: Worklist) -> list[Entry]:
    """Every file: slides, the worst first; then files that failed, then copies of slides that are listed."""
    failures = {failure.path: failure for failure in worklist.failures()}
    rows = worklist.slides()
    found = [Entry(row.facts.path, row, failures.pop(row.facts.path, None)) for row in rows]
    found.sort(key=_is_failed)  # keeps the order within both parts
    by_path = {row.facts.path: row for row in rows}
    found += [Entry(path, None, failure) for path, failure in failures.items()]
    found += [
        Entry(path, by_path.get(other), None, other)
        for path, other in worklist.duplicates().items()
        if path not in by_path and path not in failures and not parts_of_one(path, other)
    ]
    return found


def _is_failed(entry: Entry) -> bool:
    return entry.status in (FAILED, WAITING)


def counts(listed: Sequence[Entry]) -> dict[str, int]:
    """How many files of each status, copies left out: the worst first."""
    found = {verdict.value: 0 for verdict in reversed(Verdict)} | {FAILED: 0, WAITING: 0}
    for entry in listed:
        if entry.same_as is None:
            found[entry.status] += 1
    return found


def written_now() -> str:
    """The time in UTC, for people."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
