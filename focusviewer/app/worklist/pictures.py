"""Pictures of a worklist's slides, from their folders, made when they scroll into view."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cachetools import LRUCache
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import to_qimage
from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import UserError

KEPT = 600
"""Of the list's pictures; of the large ones a twentieth."""

WAIT_MS = 30
AT_ONCE = 24
"""Pictures made by one job: after so many, newer requests are looked at."""


@dataclass(frozen=True)
class PictureRequest:
    """A picture to be made: of which slide, with or without its map, and its longest side in screen pixels."""

    fingerprint: str
    folder: Path
    covered: bool
    side: int


def make_picture(request: PictureRequest) -> QImage | None:
    """A slide's thumbnail, under its map where that is asked for and stored; None without a thumbnail (any thread)."""
    from PIL import Image

    from focusviewer.focus.mapping.store import load_map
    from focusviewer.qc.reports.pictures import overlay

    try:
        with Image.open(request.folder / "thumbnail.png") as file:
            thumbnail = file.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # Pillow's ways to say that a file is missing or damaged
        return None
    thumbnail.thumbnail((request.side, request.side), Image.Resampling.BILINEAR)
    pixels = np.asarray(thumbnail)
    if request.covered:
        with suppress(UserError):  # the slide alone is better than nothing
            pixels = overlay(pixels, load_map(request.folder / "map.npz"))
    return to_qimage(np.ascontiguousarray(pixels))


class WorklistPictures(QObject):
    """A cache of pictures that fills itself in workers."""

    arrived = Signal(str)  # fingerprint

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._small: LRUCache[PictureRequest, QPixmap | None] = LRUCache(KEPT)
        self._large: LRUCache[PictureRequest, QPixmap | None] = LRUCache(KEPT // 20)
        self._waiting: dict[PictureRequest, bool] = {}  # in the order of the requests; whether they are large
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self._start)

    def get(self, request: PictureRequest, *, large: bool = False) -> QPixmap | None:
        """A picture, or None while it is being made or if there is none."""
        store = self._large if large else self._small
        if request in store:
            return store[request]
        self._waiting.pop(request, None)
        self._waiting[request] = large
        if not self._timer.isActive() and not self._jobs.running("worklist pictures"):
            self._timer.start()
        return None

    def forget(self, fingerprint: str) -> None:
        """Make a slide's pictures anew: it was judged again."""
        for store in (self._small, self._large):
            for request in [item for item in store if item.fingerprint == fingerprint]:
                del store[request]

    def clear(self) -> None:
        """Forget all."""
        self._timer.stop()
        self._waiting.clear()
        self._small.clear()
        self._large.clear()
        self._jobs.cancel("worklist pictures")

    @Slot()
    def _start(self) -> None:
        # The latest requests first: their slides are on screen now.
        batch = list(reversed(self._waiting.items()))[:AT_ONCE]
        for request, _ in batch:
            del self._waiting[request]
        if not batch:
            return

        def work(job: Job) -> None:
            for number, (request, large) in enumerate(batch, 1):
                stop_if(job.cancel)
                job.report(number / len(batch), (request, large, make_picture(request)))

        def partial(fraction: float, made: tuple[PictureRequest, bool, QImage | None]) -> None:
            request, large, image = made
            store = self._large if large else self._small
            store[request] = None if image is None else QPixmap.fromImage(image)
            self.arrived.emit(request.fingerprint)

        self._jobs.start("worklist pictures", work, lane=Lane.ANALYSIS, partial=partial, done=lambda _: self._more())

    def _more(self) -> None:
        if self._waiting:
            self._timer.start()
