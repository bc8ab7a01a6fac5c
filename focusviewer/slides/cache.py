"""A byte-bounded memory of decoded tiles."""

from __future__ import annotations

from collections.abc import Hashable

from focusviewer.core.arrays import RGB
from focusviewer.core.caches import LockedLRUCache


class TileCache(LockedLRUCache[Hashable, RGB]):
    """Least-recently-used cache of images, bounded by the bytes it holds; thread-safe.

    Parameters
    ----------
    max_bytes : int
        An image larger than this is not kept.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        super().__init__(max_bytes, _nbytes)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.size


def _nbytes(image: RGB) -> int:
    return image.nbytes
