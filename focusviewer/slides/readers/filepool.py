"""Many files of one slide, of which only some are held open at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from focusviewer.core.errors import SlideError
from focusviewer.slides.readers.rawfile import RawFile

_MOST_OPEN = 48
"""Systems allow a program some hundred open files; several slides may be open."""


class FilePool:
    """Opens files when they are read, and closes those that have not been for longest.

    Parameters
    ----------
    name : str
        Of the slide, for messages.
    most_open : int
    """

    def __init__(self, name: str, most_open: int = _MOST_OPEN) -> None:
        self._name, self._most, self._closed = name, most_open, False
        self._open: OrderedDict[Path, RawFile] = OrderedDict()
        self._lent: dict[Path, int] = {}
        self._lock = threading.Lock()

    def check_open(self) -> None:
        """Raise SlideError after :meth:`close`."""
        if self._closed:
            raise SlideError(f"Cannot read {self._name}", "the slide has been closed")

    @contextmanager
    def lent(self, path: Path) -> Iterator[RawFile]:
        """The file, open for as long as the block runs."""
        with self._lock:
            self.check_open()
            raw = self._open.get(path)
            if raw is None:
                raw = self._open[path] = RawFile(path)
            self._open.move_to_end(path)
            self._lent[path] = self._lent.get(path, 0) + 1
            for other in list(self._open)[: -self._most]:
                if not self._lent.get(other):
                    self._open.pop(other).close()
        try:
            yield raw
        finally:
            with self._lock:
                self._lent[path] -= 1

    def close(self) -> None:
        """Close every file once the running reads have ended."""
        with self._lock:
            self._closed = True
            for raw in self._open.values():
                raw.close()
            self._open.clear()


class PooledFile(RawFile):
    """A file of a pool; see :class:`RawFile`.

    Parameters
    ----------
    path : Path
    pool : FilePool
        Closed by whoever made it.
    """

    def __init__(self, path: Path, pool: FilePool) -> None:
        self._path, self._pool = path, pool
        self.size = path.stat().st_size

    def check_open(self) -> None:
        """Raise SlideError once the pool is closed."""
        self._pool.check_open()

    def _read_at(self, offset: int, count: int) -> bytes:
        with self._pool.lent(self._path) as raw:
            return raw.read_at(offset, count)

    def close(self) -> None:
        """Nothing: the pool closes its files."""
