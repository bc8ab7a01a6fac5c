"""Tiles from the loader's threads as images for the screen."""

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
    """Images of tiles: those in memory at once, the others by signal when they are loaded.

    Conversion to images happens in the loader's threads; :attr:`arrived` and :attr:`failed` fire on the Qt thread.
    """

    arrived = Signal(object)
    failed = Signal(object, str)
    retried = Signal(str)
    _delivered = Signal(object, object)

    def __init__(self, cache_bytes: int, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.images = ImageCache(cache_bytes)
        self._pinned: dict[TileKey, QImage] = {}
        self._coarsest_zooms: dict[str, int] = {}  # by slide
        self._bad: set[TileKey] = set()
        self._requests: dict[str, dict[int, tuple[TileKey, ...]]] = {}  # by slide and requester
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

    def coarsest_key(self, pyramid: DisplayPyramid, plane: int) -> TileKey:
        """Key of the coarsest tile, which stays in memory for as long as the slide is open."""
        return TileKey(pyramid.fingerprint, pyramid.n_zooms - 1, 0, 0, plane)

    def add(self, pyramid: DisplayPyramid) -> None:
        """Make a slide known, so that its coarsest tile is kept."""
        self._coarsest_zooms[pyramid.fingerprint] = pyramid.n_zooms - 1
        self.loader.forget_bad(pyramid)

    def request(self, pyramid: DisplayPyramid, keys: Sequence[TileKey], requester: int = 0) -> None:
        """Ask for tiles, most urgent first; replaces what the same requester wanted of this slide before."""
        missing = tuple(key for key in keys if not self.has(key) and key not in self._bad)
        requests = self._requests.setdefault(pyramid.fingerprint, {})
        if self._closed or missing == requests.get(requester):
            return
        requests[requester] = missing
        self.loader.want(pyramid, self._interleaved(requests))
        for key in missing:
            # Rare: the loader read it while the slide was not shown, and therefore did not deliver it.
            pixels = self.loader.cached(key)
            if pixels is not None:
                self._deliver(key, to_qimage(pixels))

    @staticmethod
    def _interleaved(requests: dict[int, tuple[TileKey, ...]]) -> list[TileKey]:
        """One tile for each requester in turn, so that two pictures of a slide fill at the same pace."""
        return [key for turn in zip_longest(*requests.values()) for key in turn if key is not None]

    def cached_pixels(self, key: TileKey) -> RGB | None:
        """Pixels of a tile the loader still holds (any thread)."""
        return self.loader.cached(key)

    def stop_loading(self, pyramid: DisplayPyramid, requester: int = 0) -> None:
        """Stop loading for a requester that does not show the slide at the moment; what is in memory stays."""
        requests = self._requests.get(pyramid.fingerprint)
        if requests is not None and requests.pop(requester, None) is not None:
            self.loader.want(pyramid, self._interleaved(requests))

    def drop(self, pyramid: DisplayPyramid) -> None:
        """Forget a slide that is being closed."""
        self._coarsest_zooms.pop(pyramid.fingerprint, None)
        self._requests.pop(pyramid.fingerprint, None)
        self.loader.drop(pyramid)
        for key in [key for key in self._pinned if key.slide == pyramid.fingerprint]:
            del self._pinned[key]
        self._bad = {key for key in self._bad if key.slide != pyramid.fingerprint}

    def retry(self, pyramid: DisplayPyramid) -> None:
        """Let the tiles of a slide that could not be read be tried again; :attr:`retried` follows."""
        self._bad = {key for key in self._bad if key.slide != pyramid.fingerprint}
        self.loader.forget_bad(pyramid)
        self._requests.pop(pyramid.fingerprint, None)
        self.retried.emit(pyramid.fingerprint)

    def forget(self, pyramid: DisplayPyramid) -> None:
        """Forget a slide and all that was read of it: its file is another now."""
        self.drop(pyramid)
        self.images.remove(lambda key: key.slide == pyramid.fingerprint)
        self.loader.forget(pyramid)

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
        if self._coarsest_zooms.get(key.slide) == key.zoom:
            self._pinned[key] = result
        else:
            self.images.put(key, result)
        self.arrived.emit(key)
