"""Opening slides and decoding tiles, next to OpenSlide."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from focusviewer.bench.table import Benchmark, Result, median_ms
from focusviewer.slides import Region, Slide, open_slide

TILE_PX = 512
_MAX_TILES = 400


def measure_open(path: Path) -> Iterable[Result]:
    """Milliseconds to open a slide (metadata, fingerprint and all)."""
    import openslide

    ours = median_ms(lambda: open_slide(path).close())
    try:
        theirs = median_ms(lambda: openslide.OpenSlide(str(path)).close())
    except openslide.OpenSlideError:
        return [Result("open", ours, "ms")]
    return [Result("open", ours, "ms", theirs, "OpenSlide")]


def measure_decode(path: Path) -> Iterable[Result]:
    """Megapixels a second of level-0 tiles read by one thread."""
    with open_slide(path) as slide:
        boxes = list(tiles(slide))
        ours = _speed(boxes, lambda box: slide.read_region(Region(0, *box)))
    theirs = _openslide_speed(path, boxes)
    return [Result("decode", ours, "Mpx/s", theirs, "OpenSlide" if theirs else "")]


def tiles(slide: Slide, most: int = _MAX_TILES) -> Iterator[tuple[int, int, int, int]]:
    """Level-0 tiles (x, y, width, height) spread evenly over a slide, at most so many."""
    width, height = slide.dimensions
    columns, rows = max(1, width // TILE_PX), max(1, height // TILE_PX)
    count = columns * rows
    for index in range(0, count, max(1, -(-count // most))):
        x, y = index % columns * TILE_PX, index // columns * TILE_PX
        yield x, y, min(TILE_PX, width), min(TILE_PX, height)


def _openslide_speed(path: Path, boxes: list[tuple[int, int, int, int]]) -> float | None:
    import numpy as np
    import openslide

    try:
        other = openslide.OpenSlide(str(path))
    except openslide.OpenSlideError:
        return None
    with other:
        # Converted to an RGB array, since that is what both are asked for.
        return _speed(boxes, lambda box: np.asarray(other.read_region(box[:2], 0, box[2:]).convert("RGB")))


def _speed(boxes: list[tuple[int, int, int, int]], read: object) -> float:
    assert callable(read)
    read(boxes[0])
    started = time.perf_counter()
    for box in boxes:
        read(box)
    return sum(width * height for _, _, width, height in boxes) / 1e6 / (time.perf_counter() - started)


BENCHMARKS = (
    Benchmark("open", "opening a slide", measure_open),
    Benchmark("decode", "reading 512 px tiles of level 0 with one thread", measure_decode),
)
