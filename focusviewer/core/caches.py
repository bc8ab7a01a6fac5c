"""A least-recently-used cache that any thread may use, on top of cachetools."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LockedLRUCache(Generic[K, V]):
    """Least-recently-used values, bounded by the sum of their sizes; thread-safe.

    Parameters
    ----------
    most : int
        Bound of the sum. A value that is larger by itself is not kept.
    size_of : callable, optional
        Size of a value; without, each counts 1.
    """

    def __init__(self, most: int, size_of: Callable[[V], float] | None = None) -> None:
        self._size_of = size_of
        self._values: LRUCache[K, V] = LRUCache(most, size_of)
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, now the most recently used, or None."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value; the longest unused ones make room."""
        with self._lock:
            self._values.pop(key, None)
            if self._values.getsizeof(value) <= self._values.maxsize:
                self._values[key] = value

    def resize(self, most: int) -> None:
        """Another bound; what no longer fits is dropped, the longest unused values first."""
        with self._lock:
            before, self._values = self._values, LRUCache(most, self._size_of)
            while before:
                key, value = before.popitem()
                if self._values.getsizeof(value) <= most:
                    self._values[key] = value

    def remove(self, unwanted: Callable[[K], bool]) -> None:
        """Forget what is kept under keys of a kind."""
        with self._lock:
            for key in [key for key in self._values if unwanted(key)]:
                del self._values[key]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()

    @property
    def size(self) -> int:
        """Sum of the sizes of what is held."""
        return int(self._values.currsize)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values
