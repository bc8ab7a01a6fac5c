"""Focus maps that a batch has stored, shown on their slides without being made again."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject, Signal

from focusviewer.app.heatmap.controller import HeatmapController
from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.viewer.document import Document
from focusviewer.app.worklist.lines import Line
from focusviewer.core.errors import UserError
from focusviewer.core.json_text import from_json_text
from focusviewer.focus.base import FocusMap
from focusviewer.qc.worklist.records import Result


def stored_map(folder: Path, result: Result) -> tuple[FocusMap, float | None]:
    """The map of a judged slide, and the threshold it was judged with (any thread).

    Raises
    ------
    UserError
        If it cannot be read, or belongs to another slide or model.
    """
    from focusviewer.focus.mapping.store import load_map

    found = load_map(folder / "map.npz")
    try:
        described = from_json_text((folder / "summary.json").read_text(encoding="utf-8"))
        fingerprint, threshold = described["fingerprint"], described["threshold"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"Cannot read {folder / 'summary.json'}", str(error), "Judge the slide again.") from error
    if fingerprint != result.facts.fingerprint or (found.model, found.model_version) != (
        result.model,
        result.model_version,
    ):
        raise UserError(
            f"The stored focus map of {result.facts.name} is not shown",
            "it was made of another file or by another model",
            "Press H to make it anew.",
        )
    return found, None if threshold is None else float(threshold)


class StoredMaps(QObject):
    """Shows stored maps on the documents they belong to, once each."""

    failed = Signal(str)

    def __init__(self, jobs: Jobs, heatmap: HeatmapController) -> None:
        super().__init__()
        self._jobs, self._heatmap = jobs, heatmap
        self._asked: WeakKeyDictionary[Document, Result] = WeakKeyDictionary()

    def show(self, document: Document, line: Line, worklist_folder: Path) -> None:
        """Show the stored map of the slide on screen; nothing happens while the reader may not see it."""
        result, fingerprint = line.result, line.fingerprint
        if result is None or self._asked.get(document) == result:
            return
        self._asked[document] = result

        def work(job: Job) -> tuple[FocusMap, float | None]:
            return stored_map(worklist_folder / result.folder, result)

        def done(found: tuple[FocusMap, float | None]) -> None:
            self._heatmap.show_stored(document, *found)

        self._jobs.start(f"stored map {fingerprint}", work, lane=Lane.ANALYSIS, done=done, failed=self.failed.emit)
