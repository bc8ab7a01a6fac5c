"""The Qt thread stays free whatever the workers do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from PySide6.QtCore import QTimer

from focusviewer.app.heatmap.controller import make_map
from focusviewer.core.arrays import RGB
from focusviewer.slides import Region
from tests.app.fakes import FakeSlide

LONGEST_GAP_MS = 50
ROUNDS = 6
STARVED = Path("/proc/thread-self/schedstat")


def starved_s() -> float:
    """For how long this thread could have run and got no processor: other programs' doing, not the window's."""
    try:
        return int(STARVED.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):  # another system, or one that does not count
        return 0.0


class Heartbeat:
    """Beats every 5 ms and remembers the pauses."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = 0.0
        self.timer = QTimer(interval=5)
        self.timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now = perf_counter() - starved_s()
        self.gaps.append(1000 * (now - self._last))
        self._last = now

    def during(self, qtbot, act: Callable[[int], None], seconds: float) -> float:
        """Longest pause (ms) while ``act(step)`` is done 60 times a second."""
        self.gaps.clear()
        self._last = perf_counter() - starved_s()
        self.timer.start()
        end, step = perf_counter() + seconds, 0
        while perf_counter() < end:
            act(step := step + 1)
            qtbot.wait(16)
        self.timer.stop()
        return max(self.gaps)


class SlowTissue(FakeSlide):
    """Noise everywhere, so that all of it is tissue; every read takes half a second."""

    noise = np.random.default_rng(1).integers(90, 170, (4096, 4096), np.uint8)

    def pixels(self, region: Region) -> RGB:
        out = np.empty((region.height, region.width, 3), np.uint8)
        for top in range(0, region.height, 1024):
            for left in range(0, region.width, 1024):
                part = out[top : top + 1024, left : left + 1024]
                y, x = (region.y + top) % 3072, (region.x + left) % 3072
                part[...] = self.noise[y : y + part.shape[0], x : x + part.shape[1], None]
        return out


def test_the_event_loop_never_stops_while_tiles_are_slow_and_a_map_is_made(window, slides, open_in, qtbot) -> None:
    slides["slow.svs"] = SlowTissue("slow.svs", (24000, 18000))  # the map lasts for all rounds
    open_in(window, "slow.svs")
    slides["slow.svs"].delay = 0.5
    window.heatmap.maker = make_map
    window.mapping.panel.model.addItem("mlv", "mlv")
    window.mapping.panel.model.setCurrentIndex(window.mapping.panel.model.findData("mlv"))
    window.mapping.run()
    window.viewport.go_to(2000, 2000, 1.0)
    beat = Heartbeat()

    def act(step: int) -> None:
        window.viewport.pan_pixels(-9, -5)
        if step % 25 == 0:
            window.viewport.zoom_by(1 if step % 50 else -1)

    # A fault of the window shows in every round; a pause of a busy machine does not.
    rounds = []
    for _ in range(ROUNDS):
        rounds.append(beat.during(qtbot, act, 2.0))
        assert window.heatmap.is_running
        assert len(beat.gaps) > 10
        if rounds[-1] < LONGEST_GAP_MS:
            break
    assert min(rounds) < LONGEST_GAP_MS


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
