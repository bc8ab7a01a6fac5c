"""Slides as a scanner writes them: judged once they are complete."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from focusviewer.core.errors import CancelledError, SlideError
from focusviewer.qc.batch.discover import Found, find_slides
from focusviewer.qc.batch.runner import Batch
from focusviewer.qc.worklist.summary import QcSummary
from focusviewer.slides.readers.contents import parts_of_slide

_PATIENCE = 6
"""How many settling times a file that stands still but cannot be opened is waited for before it counts as broken."""

Signature = tuple[tuple[str, int, int], ...]


@dataclass
class _Watched:
    signature: Signature
    since: float  # when it was first seen like this
    judged: bool = False


class Watcher:
    """Looks into folders again and again for slides that are complete.

    A slide is complete once the sizes and times of its files have stood still for a while and it can be opened.
    Parts of slides of several files (MIRAX, Hamamatsu VMS, DICOM) count as well.

    Parameters
    ----------
    folders : list of Path
        Where to look, however deep.
    leave_out : list of Path
        Folders to pass over.
    settle_s : float
        How long is "a while".
    """

    def __init__(self, folders: list[Path], leave_out: list[Path], settle_s: float) -> None:
        self.folders, self.leave_out, self.settle_s = folders, leave_out, settle_s
        self._watched: dict[Path, _Watched] = {}
        self._met: set[Path] = set()

    def complete(self, now: float) -> list[Path]:
        """Slides that have become complete since the last look.

        Parameters
        ----------
        now : float
            A clock that only goes forward, s.
        """
        ready = []
        slides = find_slides(self.folders, self.leave_out).slides
        for path in slides:
            signature = _signature(path)
            watched = self._watched.get(path)
            if watched is None or watched.signature != signature:
                self._watched[path] = watched = _Watched(signature, now)
            stood = now - watched.since
            if watched.judged or stood < self.settle_s:
                continue
            if _opens(path) or stood >= _PATIENCE * self.settle_s:
                watched.judged = True
                ready.append(path)
        for gone in set(self._watched) - set(slides):
            del self._watched[gone]
        return ready

    def run(
        self, batch: Batch, poll_s: float, cancel: threading.Event, on_summary: Callable[[QcSummary], None]
    ) -> QcSummary:
        """Judge slides as they become complete, until ``cancel`` is set; a summary of all that were met."""
        judged = 0
        summary = batch.run(Found())
        try:
            while True:
                ready = self.complete(time.monotonic())
                if ready:
                    self._met.update(ready)
                    everything = sorted(path for path in self._met if path.exists())
                    summary = batch.run(Found(everything))
                    judged += summary.judged
                    summary = replace(summary, judged=judged, earlier=summary.slides - judged)
                    on_summary(summary)
                if cancel.wait(poll_s):
                    return summary
        except CancelledError:
            return summary


def _opens(path: Path) -> bool:
    from focusviewer.slides import open_slide

    try:
        open_slide(path).close()
    except SlideError:
        return False
    return True


def _signature(path: Path) -> Signature:
    """Names, sizes and times of a slide's files."""
    found = []
    for part in _parts(path):
        try:
            status = part.stat()
        except OSError:  # just being renamed or written
            continue
        found.append((part.name, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _parts(path: Path) -> list[Path]:
    kind = path.suffix.lower()
    if kind == ".mrxs" and path.with_suffix("").is_dir():
        return [path, *path.with_suffix("").iterdir()]
    if kind in (".vms", ".vmu"):
        return [part for part in path.parent.iterdir() if part.is_file()]
    return list(parts_of_slide(path))
