"""A byte-bounded memory of decoded tiles."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from focusviewer.core.arrays import RGB


class TileCache:
    """Least-recently-used cache of images, bounded by the bytes it holds; thread-safe.

    Parameters
    ----------
    max_bytes : int
        An image larger than this is not kept.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        self.max_bytes = max_bytes
        self._images: OrderedDict[Hashable, RGB] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> RGB | None:
        """The image, now the most recently used, or None."""
        with self._lock:
            image = self._images.get(key)
            if image is not None:
                self._images.move_to_end(key)
            return image

    def put(self, key: Hashable, image: RGB) -> None:
        """Keep an image; the longest unused ones make room."""
        with self._lock:
            old = self._images.pop(key, None)
            if old is not None:
                self._nbytes -= old.nbytes
            if image.nbytes > self.max_bytes:
                return
            self._images[key] = image
            self._nbytes += image.nbytes
            while self._nbytes > self.max_bytes:
                _, dropped = self._images.popitem(last=False)
                self._nbytes -= dropped.nbytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._images.clear()
            self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._nbytes

    def __len__(self) -> int:
        return len(self._images)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._images
