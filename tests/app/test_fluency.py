"""The Qt thread stays free whatever the workers do."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

import numpy as np
from app_fakes import FakeSlide
from PySide6.QtCore import QTimer

from focusviewer.app.controllers.heatmap import make_map

LONGEST_GAP_MS = 50


class Heartbeat:
    """Beats every 5 ms and remembers the longest pause."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = perf_counter()
        self.timer = QTimer(interval=5)
        self.timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now = perf_counter()
        self.gaps.append(1000 * (now - self._last))
        self._last = now

    def start(self) -> None:
        self._last = perf_counter()
        self.timer.start()


def test_the_event_loop_never_stops_while_tiles_are_slow_and_a_map_is_made(window, slides, open_in, qtbot) -> None:
    noise = np.random.default_rng(1).integers(0, 80, (4096, 4096, 1), np.uint8)

    class Tissue(FakeSlide):
        def pixels(self, region):
            rows = np.arange(region.y, region.y + region.height) % 4096
            cols = np.arange(region.x, region.x + region.width) % 4096
            return np.repeat(noise[rows][:, cols] + 90, 3, axis=2)

    slides["slow.svs"] = Tissue("slow.svs", (9000, 8000))
    open_in(window, "slow.svs")
    slides["slow.svs"].delay = 0.5
    window.heatmap.maker = make_map
    window.heatmap_panel.model.addItem("mlv", "mlv")
    window.heatmap_panel.model.setCurrentIndex(window.heatmap_panel.model.findData("mlv"))
    window.run_heatmap()
    qtbot.wait(300)  # the first import of the model is over
    beat = Heartbeat()
    beat.start()
    window.viewport.go_to(2000, 2000, 1.0)
    end = perf_counter() + 4
    step = 0
    while perf_counter() < end:
        step += 1
        window.viewport.pan_pixels(-9, -5)
        if step % 25 == 0:
            window.viewport.zoom_by(1 if step % 50 else -1)
        qtbot.wait(16)
    beat.timer.stop()
    assert window.heatmap.is_running or window.heatmap.shown is not None
    assert len(beat.gaps) > 200
    print(sorted(beat.gaps)[-10:], np.median(beat.gaps))
    assert max(beat.gaps) < LONGEST_GAP_MS


def test_importing_the_window_brings_no_heavy_library() -> None:
    code = (
        "import sys, focusviewer.app, focusviewer.app.program\n"
        "print([m for m in ('torch', 'scipy', 'skimage', 'pyqtgraph', 'tifffile') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_room_brings_no_qt() -> None:
    code = "import sys, focusviewer.app\nprint('PySide6' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
