"""Refocusing a 1024 x 768 view: studying it once, and one step of the slider."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from focusviewer.bench.table import Benchmark, Result, median_ms
from focusviewer.slides import Region, open_slide

VIEW = (1024, 768)
STEP_BUDGET_MS = 150.0


def measure_refocus(path: Path) -> Iterable[Result]:
    """Milliseconds of ``encode``, of ``render`` for one target and for a target map, single plane."""
    from focusviewer.refocus import DEFAULT_ENGINE, get_engine

    engine = get_engine(DEFAULT_ENGINE)
    with open_slide(path) as slide:
        width, height = slide.dimensions
        view = Region(0, max(0, (width - VIEW[0]) // 2), max(0, (height - VIEW[1]) // 2), *VIEW)
        pixels, mpp = slide.read_region(view), slide.mpp or 0.25
    encode_ms = median_ms(lambda: engine.encode([pixels], mpp), 3)
    encoded = engine.encode([pixels], mpp)
    # A new target every time, so that nothing an engine may remember of a target helps it.
    targets = iter(0.3 + 0.01 * step for step in range(100))
    step_ms = median_ms(lambda: engine.render(encoded, next(targets)), 7)
    follow_ms = median_ms(lambda: engine.render(encoded, engine.all_in_focus_target(encoded)), 3)
    return [
        Result("refocus-encode", encode_ms, "ms"),
        Result("refocus-step", step_ms, "ms", STEP_BUDGET_MS, "budget"),
        Result("refocus-all-in-focus", follow_ms, "ms"),
    ]


BENCHMARKS = (Benchmark("refocus", "encode and slider step on a 1024 x 768 view", measure_refocus),)
