"""Measurements of the window, for the benchmark table and the tests."""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter

from focusviewer.app.program import make_application, make_window
from focusviewer.app.waiting import wait_until
from focusviewer.core.errors import UserError


def measure_pan(path: Path, frames: int = 400, size: tuple[int, int] = (1920, 1080)) -> dict[str, float]:
    """See :func:`focusviewer.app.measure_pan`."""
    app = make_application(offscreen=True)
    window = make_window(app, remember=False)
    viewport = window.viewport
    try:
        window.docks.slides.hide()
        window.docks.tools.hide()
        window.resize(size[0], size[1])
        window.show()
        window.resize(2 * size[0] - viewport.width(), 2 * size[1] - viewport.height())
        started = perf_counter()
        window.open_paths([path])
        wait_until(lambda: viewport.is_complete or bool(window.messages.messages()), f"the picture of {path.name}")
        if window.document is None:
            raise UserError(f"Cannot measure with {path.name}", window.messages.messages()[0].text)
        first_paint_ms = 1000 * (perf_counter() - started)
        view = window.document.view
        viewport.go_to(view.slide_width / 2, view.slide_height / 2, 1.0)
        steps = [(14 * math.cos(i / 15), 14 * math.sin(i / 15)) for i in range(frames)]
        times = []
        for warming in (True, False):
            for dx, dy in steps:
                began = perf_counter()
                viewport.pan_pixels(round(dx), round(dy))
                viewport.repaint()
                times.append(1000 * (perf_counter() - began))
                if warming:
                    wait_until(lambda: viewport.is_complete, "tiles", 30)
                    times.clear()
        times.sort()
        return {
            "p50_ms": times[len(times) // 2],
            "p99_ms": times[min(len(times) - 1, math.ceil(0.99 * len(times)) - 1)],
            "max_ms": times[-1],
            "open_ms": window.slides.open_ms,
            "first_paint_ms": first_paint_ms,
        }
    finally:
        window.close()
