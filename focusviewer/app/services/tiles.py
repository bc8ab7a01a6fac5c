"""The way of a tile from the loader's threads to the screen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import zip_longest

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QImage

from focusviewer.app.services.pixels import ImageCache, to_qimage
from focusviewer.core.arrays import RGB
from focusviewer.slides import DisplayPyramid, TileKey, TileLoader

log = logging.getLogger(__name__)

LOADER_CACHE_BYTES = 64 << 20
"""Decoded RGB kept by the loader for readers of pixels (at most a quarter of the images kept here for painting)."""


class TileSource(QObject):
    """Images of tiles: those in memory at once, the others by signal when they come.

    Conversion to images happens in the loader's threads; :attr:`arrived` and :attr:`failed` fire on the Qt thread.
    """

    arrived = Signal(object)
    failed = Signal(object, str)
    _delivered = Signal(object, object)

    def __init__(self, cache_bytes: int, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.images = ImageCache(cache_bytes)
        self._pinned: dict[TileKey, QImage] = {}
        self._tops: dict[str, int] = {}  # coarsest zoom of every open slide
        self._bad: set[TileKey] = set()
        self._wanted: dict[str, dict[int, tuple[TileKey, ...]]] = {}  # by slide and by who asks
        self._closed = False
        self._delivered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self.loader = TileLoader(self._on_tile, threads=threads, cache_bytes=min(LOADER_CACHE_BYTES, cache_bytes // 4))

    def get(self, key: TileKey) -> QImage | None:
        """The tile's image if it is in memory."""
        return self._pinned.get(key) or self.images.get(key)

    def has(self, key: TileKey) -> bool:
        """Whether the tile is in memory, without counting as a use."""
        return key in self._pinned or key in self.images

    def is_bad(self, key: TileKey) -> bool:
        """Whether the tile could not be decoded."""
        return key in self._bad

    def top_key(self, pyramid: DisplayPyramid, plane: int) -> TileKey:
        """Key of the coarsest tile, which stays in memory for as long as the slide is open."""
        return TileKey(pyramid.fingerprint, pyramid.n_zooms - 1, 0, 0, plane)

    def add(self, pyramid: DisplayPyramid) -> None:
        """Make a slide known, so that its coarsest tile is kept."""
        self._tops[pyramid.fingerprint] = pyramid.n_zooms - 1
        self.loader.forget_bad(pyramid)

    def request(self, pyramid: DisplayPyramid, keys: Sequence[TileKey], asker: int = 0) -> None:
        """Ask for tiles, most urgent first; replaces what the same asker wanted of this slide before."""
        missing = tuple(key for key in keys if not self.has(key) and key not in self._bad)
        wishes = self._wanted.setdefault(pyramid.fingerprint, {})
        if self._closed or missing == wishes.get(asker):
            return
        wishes[asker] = missing
        self.loader.want(pyramid, self._in_turn(wishes))
        for key in missing:
            # Rare: the loader has read it, but the slide was not shown at that moment and so it was not delivered.
            pixels = self.loader.cached(key)
            if pixels is not None:
                self._deliver(key, to_qimage(pixels))

    @staticmethod
    def _in_turn(wishes: dict[int, tuple[TileKey, ...]]) -> list[TileKey]:
        """One tile for each asker in turn, so that two pictures of a slide fill alike."""
        return [key for turn in zip_longest(*wishes.values()) for key in turn if key is not None]

    def cached_pixels(self, key: TileKey) -> RGB | None:
        """Pixels of a tile the loader still holds (any thread)."""
        return self.loader.cached(key)

    def rest(self, pyramid: DisplayPyramid, asker: int = 0) -> None:
        """Stop loading for an asker that does not show the slide at the moment; what is in memory stays."""
        wishes = self._wanted.get(pyramid.fingerprint)
        if wishes is not None and wishes.pop(asker, None) is not None:
            self.loader.want(pyramid, self._in_turn(wishes))

    def drop(self, pyramid: DisplayPyramid) -> None:
        """Forget a slide that is being closed."""
        self._tops.pop(pyramid.fingerprint, None)
        self._wanted.pop(pyramid.fingerprint, None)
        self.loader.drop(pyramid)
        for key in [key for key in self._pinned if key.slide == pyramid.fingerprint]:
            del self._pinned[key]
        self._bad = {key for key in self._bad if key.slide != pyramid.fingerprint}

    def close(self) -> None:
        """Stop the loader's threads."""
        self._closed = True
        self.loader.close()

    def _on_tile(self, key: TileKey, pixels: RGB | None, error: str | None) -> None:
        """Called by the loader, in one of its threads."""
        if self._closed:
            return
        if pixels is not None:
            self._delivered.emit(key, to_qimage(pixels))
        else:
            self._delivered.emit(key, error or "it cannot be decoded")

    @Slot(object, object)
    def _deliver(self, key: TileKey, result: QImage | str) -> None:
        if self._closed:
            return
        if isinstance(result, str):
            self._bad.add(key)
            self.failed.emit(key, result)
            return
        if self._tops.get(key.slide) == key.zoom:
            self._pinned[key] = result
        else:
            self.images.put(key, result)
        self.arrived.emit(key)
