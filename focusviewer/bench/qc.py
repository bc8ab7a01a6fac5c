"""Verdicts on a batch of slides: how long a night of large slides would take."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from focusviewer.bench.table import Benchmark, Result
from focusviewer.core.errors import UserError
from focusviewer.slides import open_slide

WORKERS = 2
SLIDES = 2 * WORKERS
NIGHT_SLIDES, NIGHT_SIDE_PX, NIGHT_MINUTES = 300, 25_000, 60.0
"""The budget: so many slides of this size in an hour, with two workers."""


def measure_qc(path: Path) -> Iterable[Result]:
    """Slides an hour with two workers, and minutes for a night of slides, from the same time for each pixel.

    The batch holds copies of the slide, each with a byte more, since equal files are done once. What counts is the time
    that workers spend on slides, all of them at work: starting them takes seconds once a night.
    """
    from focusviewer import qc
    from focusviewer.qc.worklist.store import Worklist

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copies = [_copy(path, folder / "slides" / f"{index}{path.suffix}", index) for index in range(SLIDES)]
        with open_slide(copies[0]) as slide:
            width, height = slide.dimensions
        summary = qc.run(copies, folder / "qc", workers=WORKERS)
        with Worklist(summary.worklist) as worklist:
            seconds = [row.result.seconds for row in worklist.slides() if row.result is not None]
    if len(seconds) < SLIDES:
        raise UserError(f"Cannot judge {path.name}", next((item.reason for item in summary.failures), ""))
    yield from rows(seconds, width * height)


def rows(seconds: list[float], pixels: int) -> list[Result]:
    """The rows for slides of so many pixels that took workers so many seconds each."""
    pace = sum(seconds) / len(seconds) / WORKERS
    minutes = NIGHT_SLIDES * pace * NIGHT_SIDE_PX**2 / pixels / 60
    night = f"budget for {NIGHT_SLIDES} slides of {NIGHT_SIDE_PX} px squared, two workers"
    return [Result("qc", 3600 / pace, "slides/h"), Result("qc night", minutes, "min", NIGHT_MINUTES, night)]


def _copy(path: Path, copy: Path, index: int) -> Path:
    """A copy that counts as another slide."""
    copy.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, copy)
    with copy.open("ab") as file:
        file.write(bytes([index]))
    return copy


BENCHMARKS = (Benchmark("qc", "batches of slides with two workers: slides per hour, minutes for a night", measure_qc),)
