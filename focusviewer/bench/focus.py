"""The whole-slide focus map, next to decoding the same tiles once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from focusviewer.bench.slides import TILE_PX
from focusviewer.bench.table import Benchmark, Result
from focusviewer.slides import Region, Slide, open_slide

if TYPE_CHECKING:
    from focusviewer.focus import FocusMap

THREADS = 2
SMALLEST_MODEL = "focuslitenn-1"


def measure_map(path: Path) -> Iterable[Result]:
    """Seconds for maps with the default and the smallest model, and for decoding the tiles under them once.

    The same threads do both, in turn; each is the better of two: a machine that is busy for a moment tells on neither
    alone.
    """
    from focusviewer.focus import DEFAULT_MODEL

    with open_slide(path) as slide:
        yield _measured("map", DEFAULT_MODEL, slide)
        yield _measured(f"map {SMALLEST_MODEL}", SMALLEST_MODEL, slide)


def _measured(label: str, name: str, slide: Slide) -> Result:
    from focusviewer.focus import get_model, map_slide

    model = get_model(name)
    width, height = slide.dimensions
    # Once before the clock runs: loads what is loaded late.
    map_slide(slide, model, region=(width // 2, height // 2, 512, 512), threads=THREADS)
    mapping, decoding = [], []
    for _ in range(2):
        started = time.perf_counter()
        focus_map = map_slide(slide, model, threads=THREADS)
        mapping.append(time.perf_counter() - started)
        decoding.append(decode_seconds(slide, tiles_under(focus_map, slide)))
    return Result(label, min(mapping), "s", min(decoding), "decoding the same tiles once")


def tiles_under(focus_map: FocusMap, slide: Slide) -> list[tuple[int, int]]:
    """Column and row of every level-0 tile that a scored window touches."""
    import numpy as np

    width, height = slide.dimensions
    half = focus_map.window_px / 2
    found: set[tuple[int, int]] = set()
    for row, column in np.argwhere(focus_map.tissue):
        x, y = float(focus_map.x[column]), float(focus_map.y[row])
        left, right = max(0.0, x - half), min(width - 1.0, x + half)
        top, bottom = max(0.0, y - half), min(height - 1.0, y + half)
        found |= {
            (c, r)
            for r in range(int(top) // TILE_PX, int(bottom) // TILE_PX + 1)
            for c in range(int(left) // TILE_PX, int(right) // TILE_PX + 1)
        }
    return sorted(found, key=lambda tile: (tile[1], tile[0]))


def decode_seconds(slide: Slide, tiles: list[tuple[int, int]]) -> float:
    """Wall time to read tiles of level 0 once."""

    def read(tile: tuple[int, int]) -> None:
        slide.read_region(Region(0, tile[0] * TILE_PX, tile[1] * TILE_PX, TILE_PX, TILE_PX))

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read, tiles))
    return time.perf_counter() - started


BENCHMARKS = (Benchmark("map", "whole-slide focus map with two threads", measure_map),)
