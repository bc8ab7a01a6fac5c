"""A worklist's content at one moment, and the open file that it is read from; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import Failure, SlideRow
from focusviewer.qc.worklist.store import Worklist

MANY_CHANGES = 50
"""From so many changed slides on the whole list is read again: that is faster than one by one."""


@dataclass(frozen=True)
class Snapshot:
    """Everything the list shows, as it was at one revision.

    Attributes
    ----------
    rows : mapping of fingerprint to SlideRow
    readers : mapping of name to mapping of fingerprint to Verdict
        Each reader's standing verdicts.
    standing : mapping of (reader, fingerprint) to tuple of int
        Numbers of the standing verdicts of a reader on a slide, oldest first.
    read_only : bool
        Whether no verdicts can be given.
    """

    path: Path
    revision: int = 0
    rows: Mapping[str, SlideRow] = field(default_factory=dict)
    readers: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    standing: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    read_only: bool = False

    @property
    def folder(self) -> Path:
        """The worklist's folder, with the slides' folders in it."""
        return self.path.parent


class OpenWorklist:
    """An open worklist and what was last read of it. Lives in the worklist's lane: one thread, in order.

    Raises
    ------
    UserError
        If the file is missing or no worklist.
    """

    def __init__(self, path: Path) -> None:
        self.worklist = Worklist(path, make=False)
        self.snapshot = Snapshot(path, -1, read_only=self.worklist.read_only)

    def refresh(self) -> Snapshot | None:
        """Read what has changed since the last time; None if nothing has."""
        store, old = self.worklist, self.snapshot
        # The revision is read first: what is written in between is then read twice, and never missed.
        revision = store.revision()
        if revision == old.revision:
            return None
        changed = store.changes_since(old.revision)
        if old.revision < 0 or len(changed) > MANY_CHANGES:
            rows = {row.facts.fingerprint: row for row in store.slides()}
        else:
            rows = dict(old.rows)
            found = (store.slide(fingerprint) for fingerprint in changed)
            rows |= {row.facts.fingerprint: row for row in found if row is not None}
        read = store.readers(), tuple(store.failures()), store.standing()
        self.snapshot = Snapshot(old.path, revision, rows, *read, read_only=store.read_only)
        return self.snapshot
