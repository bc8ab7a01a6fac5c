"""Measures the window off-screen and prints one line of JSON: ``python -m focusviewer.bench.window_probe SLIDE``."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from focusviewer.app.views.viewport import Viewport

SIZE = (1920, 1080)
FRAMES = 400
CACHE_BYTES = 1 << 30
_DEADLINE_S = 60.0


def probe(path: Path) -> dict[str, float]:
    """Open a slide in a viewport of 1920 x 1080 px, wait for the picture, and pan over tiles that are in memory."""
    from PySide6.QtWidgets import QApplication

    from focusviewer.app.controllers.tiles import TileSource
    from focusviewer.app.models.document import Document
    from focusviewer.app.views.viewport import Viewport
    from focusviewer.slides import open_slide

    app = QApplication.instance() or QApplication([])
    tiles = TileSource(CACHE_BYTES)
    viewport = Viewport(tiles)
    viewport.resize(*SIZE)
    viewport.show()
    app.processEvents()

    started = time.perf_counter()
    document = Document.of(open_slide(path))
    tiles.add(document.pyramid)
    viewport.show_document(document)
    wait_until(lambda: viewport.is_complete)
    first_picture_ms = (time.perf_counter() - started) * 1000

    width, height = document.slide.dimensions
    viewport.go_to(width / 2, height / 2, 1.0)
    for index in range(0, FRAMES, 10):  # fetch every tile the pan will cross
        step(viewport, index, 10)
        wait_until(lambda: viewport.is_complete)
    viewport.go_to(width / 2, height / 2, 1.0)
    wait_until(lambda: viewport.is_complete)
    frames = sorted(timed(viewport, index) for index in range(FRAMES))
    viewport.close()
    tiles.close()
    document.slide.close()
    return {
        "first_picture_ms": first_picture_ms,
        "pan_p50_ms": frames[len(frames) // 2],
        "pan_p99_ms": frames[math.ceil(len(frames) * 0.99) - 1],
    }


def step(viewport: Viewport, index: int, stride: int = 1) -> None:
    """Move the picture along a closed path, about 20 px a frame."""
    angle = 2 * math.pi * index / FRAMES
    viewport.pan_pixels(20 * stride * math.cos(angle), 20 * stride * math.sin(angle))


def timed(viewport: Viewport, index: int) -> float:
    """Milliseconds of one frame: the move, the request for tiles and the painting."""
    from PySide6.QtWidgets import QApplication

    started = time.perf_counter()
    step(viewport, index)
    viewport.repaint()
    elapsed = (time.perf_counter() - started) * 1000
    QApplication.processEvents()
    return elapsed


def wait_until(done: Callable[[], bool]) -> None:
    """Let Qt work until something has happened.

    Raises
    ------
    SystemExit
        If it does not happen within a minute.
    """
    from PySide6.QtWidgets import QApplication

    deadline = time.perf_counter() + _DEADLINE_S
    while not done():
        QApplication.processEvents()
        if time.perf_counter() > deadline:
            sys.exit("the picture was not complete within a minute")
        time.sleep(0.0005)


if __name__ == "__main__":
    print(json.dumps(probe(Path(sys.argv[1]))))
