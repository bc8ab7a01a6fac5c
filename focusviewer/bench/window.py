"""The window: how fast its module is imported, a slide appears in it, and it pans."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from focusviewer.bench.table import Benchmark, Result
from focusviewer.core.errors import UserError

IMPORT_BUDGET_MS = 1500.0
PICTURE_BUDGET_MS = 300.0
FRAME_BUDGET_MS = 16.0

_IMPORT = (
    "import time; t = time.perf_counter(); import focusviewer.app.program; print((time.perf_counter() - t) * 1000)"
)
_PAN = """
import json, pathlib, sys
from focusviewer.app import measure_pan
print(json.dumps(measure_pan(pathlib.Path(sys.argv[1]))))
"""


def measure_import(_: Path) -> Iterable[Result]:
    """Milliseconds to import the window's module in a fresh interpreter (the window is up shortly after)."""
    times = [float(_python("-c", _IMPORT)) for _ in range(4)][1:]  # the first fills the disk cache
    return [Result("import", statistics.median(times), "ms", IMPORT_BUDGET_MS, "budget")]


def measure_window(path: Path) -> Iterable[Result]:
    """First full picture and warm panning, in an off-screen window of a process of its own."""
    figures: dict[str, Any] = json.loads(_python("-c", _PAN, str(path)).splitlines()[-1])
    return [
        Result("first-picture", figures["first_paint_ms"], "ms", PICTURE_BUDGET_MS, "budget"),
        Result("pan-p50", figures["p50_ms"], "ms", FRAME_BUDGET_MS, "budget"),
        Result("pan-p99", figures["p99_ms"], "ms", FRAME_BUDGET_MS, "budget"),
    ]


def _python(*arguments: str) -> str:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        raise UserError("The window could not be measured", lines[-1])
    return done.stdout.strip()


START_BENCHMARKS = (Benchmark("import", "importing the window's module", measure_import, needs_slide=False),)
BENCHMARKS = (Benchmark("window", "first full picture, and warm panning at 1920 x 1080", measure_window),)
