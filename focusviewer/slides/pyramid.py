"""Coarse levels for images whose file holds none, made when they are looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.slides.base import Level, Region, Slide
from focusviewer.slides.cache import TileCache
from focusviewer.slides.files.limits import MAX_PIXELS_WITHOUT_PYRAMID, LimitError, check_limit
from focusviewer.slides.pixels import halve, white

_TILE = 512
_CACHE_BYTES = 192 << 20
_COARSE_ENOUGH = 512
_TOO_COARSE_TO_AVERAGE = 2048
"""A file's own coarsest level may be this large before coarser ones are added to it."""

_Key = tuple[int, int, int, int]


def with_pyramid(slide: Slide) -> Slide:
    """The slide itself if its pyramid goes down far enough, else a :class:`PyramidSlide` around it.

    Raises
    ------
    LimitError
        If the overview would have to be made from too many pixels; the slide is closed.
    """
    last = slide.levels[-1]
    limit = _COARSE_ENOUGH if len(slide.levels) == 1 else _TOO_COARSE_TO_AVERAGE
    if max(last.width, last.height) <= limit:
        return slide
    try:
        check_limit(
            slide.name,
            f"its coarsest level, of {last.width:,} x {last.height:,}, has {{}} pixels",
            last.width * last.height,
            MAX_PIXELS_WITHOUT_PYRAMID,
        )
    except LimitError:
        slide.close()
        raise
    return PyramidSlide(slide)


class PyramidSlide(Slide):
    """Adds levels to a slide, each the 2x2 area average of the one before.

    Tiles of the added levels are made when first read, from the level before, and kept in a bounded cache.
    ``info.properties["focusviewer.file-levels"]`` tells how many levels the file itself holds.

    Parameters
    ----------
    inner : Slide
        Closed together with this one.
    """

    def __init__(self, inner: Slide) -> None:
        self._inner = inner
        self._own = len(inner.levels)
        levels = list(inner.levels)
        while (
            max(levels[-1].width, levels[-1].height) > _COARSE_ENOUGH and min(levels[-1].width, levels[-1].height) > 1
        ):
            last = levels[-1]
            levels.append(Level(last.width // 2, last.height // 2, last.downsample * 2))
        properties = {**inner.info.properties, "focusviewer.file-levels": str(self._own)}
        self.info = replace(inner.info, levels=tuple(levels), properties=properties)
        self._cache = TileCache(_CACHE_BYTES)
        self._locks: dict[_Key, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()

    @property
    def files(self) -> tuple[Path, ...]:
        """See :attr:`Slide.files`."""
        return self._inner.files

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`."""
        if region.level < self._own:
            return self._inner.read_region(region)
        downsample = self.levels[region.level].downsample
        x, y = int(np.floor(region.x / downsample + 0.5)), int(np.floor(region.y / downsample + 0.5))
        return self._read(region.level, x, y, region.width, region.height, region.plane)

    def _read(self, level: int, x: int, y: int, width: int, height: int, plane: int) -> RGB:
        """Pixels of a level, corner in pixels of that level."""
        if level < self._own:
            downsample = self.levels[level].downsample
            return self._inner.read_region(
                Region(level, round(x * downsample), round(y * downsample), width, height, plane)
            )
        size = self.levels[level]
        out = white(height, width)
        x0, x1, y0, y1 = max(x, 0), min(x + width, size.width), max(y, 0), min(y + height, size.height)
        for row in range(y0 // _TILE, -(-y1 // _TILE)):
            for column in range(x0 // _TILE, -(-x1 // _TILE)):
                left, top = column * _TILE, row * _TILE
                xa, xb, ya, yb = max(x0, left), min(x1, left + _TILE), max(y0, top), min(y1, top + _TILE)
                tile = self._tile((level, plane, column, row))
                out[ya - y : yb - y, xa - x : xb - x] = tile[ya - top : yb - top, xa - left : xb - left]
        return out

    def _tile(self, key: _Key) -> RGB:
        tile = self._cache.get(key)
        if tile is not None:
            return tile
        with self._only_one(key):
            tile = self._cache.get(key)
            if tile is None:
                tile = self._make(key)
                self._cache.put(key, tile)
        return tile

    def _make(self, key: _Key) -> RGB:
        level, plane, column, row = key
        size = self.levels[level]
        width = min(_TILE, size.width - column * _TILE)
        height = min(_TILE, size.height - row * _TILE)
        return halve(self._read(level - 1, column * _TILE * 2, row * _TILE * 2, width * 2, height * 2, plane))

    @contextmanager
    def _only_one(self, key: _Key) -> Iterator[None]:
        """Let one thread make a tile that several want; a coarse one can take many reads."""
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks[key]
                if users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, users - 1)

    def read_associated(self, name: str) -> RGB:
        """See :meth:`Slide.read_associated`."""
        return self._inner.read_associated(name)

    def close(self) -> None:
        """Release the file."""
        self._inner.close()
        self._cache.clear()
