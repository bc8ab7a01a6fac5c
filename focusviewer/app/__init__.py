"""The window. Importing this package is cheap: Qt is imported by the first call, torch by the first model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from focusviewer.core.imports import collection_paused


def run_view(paths: Sequence[Path], at: tuple[float, float] | None = None, linked: Sequence[Path] = ()) -> int:
    """Open the window with these slides; returns the exit code when it is closed.

    Parameters
    ----------
    linked : sequence of Path
        Named by links, which anybody may have written: the user is asked before one is so much as looked at, unless it
        lies in a folder from which something was opened before.
    at : (x, y), optional
        Level-0 pixel to show at full resolution, instead of the whole slide.

    Raises
    ------
    UserError
        If there is no display to open a window on.
    """
    with collection_paused():
        from focusviewer.app.program import run_view as run

    return run(paths, at, linked)


def run_demo(snapshot: Path | None = None) -> dict[str, Any]:
    """Make (once) and open the demo slide, map its focus, refocus a blurred part of it.

    Parameters
    ----------
    snapshot : Path, optional
        Folder for pictures and ``demo.json``; the program then runs off-screen and ends by itself. Without a
        display this happens too, in ``./demo-out``.

    Returns
    -------
    dict
        What ``demo.json`` holds: timings and scores.

    Raises
    ------
    UserError
        If the folder cannot be written to.
    """
    started = perf_counter()  # Qt's own import is part of the time until the window
    with collection_paused():
        from focusviewer.app.demo import run_demo as run

    return run(snapshot, started)


def measure_pan(path: Path, frames: int = 400, size: tuple[int, int] = (1920, 1080)) -> dict[str, float]:
    """Paint times of a pan over a slide whose tiles are in memory, off-screen.

    Returns
    -------
    dict
        ``p50_ms``, ``p99_ms``, ``max_ms`` of the frames and ``open_ms``, ``first_paint_ms``.
    """
    from focusviewer.app.measure import measure_pan as run

    return run(path, frames, size)
