"""Refocusing a 1024 x 768 view: studying it once, and one step of the slider; the two engines side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from focusviewer.bench.table import Benchmark, Result, median_ms
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.slides import Region, open_slide

VIEW = (1024, 768)
STEP_BUDGET_MS = 150.0
PATCH_PX = 512


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


def measure_radiance(path: Path) -> Iterable[Result]:
    """Milliseconds per megapixel of radiance against fast, on the same pixels in the same run, single plane.

    The thesis gives 0.52 s for 512 x 512 on an RTX 3090, 1984 ms per megapixel, for studying and drawing together.

    Raises
    ------
    UserError
        If the weights of radiance are missing.
    """
    from focusviewer.refocus import get_engine

    engines = {name: get_engine(name) for name in ("radiance", "fast")}
    with open_slide(path) as slide:
        width, height = slide.dimensions
        side = min(PATCH_PX, width, height)
        patch = Region(0, (width - side) // 2, (height - side) // 2, side, side)
        pixels, mpp = slide.read_region(patch), slide.mpp or 0.25
    # Where tissue lies is told, so that radiance does not ask the fast engine for it.
    depth = [np.full(pixels.shape[:2], 1.5, np.float32)]
    megapixels = side * side / 1e6
    times: dict[str, list[float]] = {}
    for name, engine in engines.items():
        encoded = engine.encode([pixels], mpp, focus_maps=depth)
        targets = iter(0.8 + 0.01 * step for step in range(100))
        encode_ms = median_ms(partial(engine.encode, [pixels], mpp, focus_maps=depth), 3)
        step_ms = median_ms(partial(_step, engine, encoded, targets), 3)
        times[name] = [encode_ms / megapixels, step_ms / megapixels]
    (encode, step), (fast_encode, fast_step) = times["radiance"], times["fast"]
    return [
        Result("radiance-encode", encode, "ms/Mpx", fast_encode, "fast"),
        Result("radiance-step", step, "ms/Mpx", fast_step, "fast"),
        Result("radiance-picture", encode + step, "ms/Mpx", fast_encode + fast_step, "fast"),
    ]


def _step(engine: Refocuser, encoded: Encoded, targets: Iterator[float]) -> None:
    engine.render(encoded, next(targets))


BENCHMARKS = (
    Benchmark("refocus", "encode and slider step on a 1024 x 768 view", measure_refocus),
    Benchmark("radiance", "the radiance engine against the fast one, per megapixel", measure_radiance),
)
