"""Reading bytes of a file from many threads, and fingerprints of file contents."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.errors import SlideError

_BLOCK = 1 << 16
_WHOLE_BELOW = 4 << 20
_SAMPLES = 24


class RawFile:
    """A file whose bytes any thread may read at any offset.

    The handle is closed only after the last running read, so a number that the system gives to another file
    is never read by mistake.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        self._readers = 0
        self._closed = False
        self._map: np.memmap[Any, Any] | None = None
        self.size = os.fstat(self._file.fileno()).st_size

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def check_open(self) -> None:
        """Raise SlideError after :meth:`close`."""
        if self._closed:
            raise SlideError(f"Cannot read {self._path.name}", "the slide has been closed")

    def array(self, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Part of the file as a read-only array, mapped and not read; all parts share one mapping."""
        with self._lock:
            if self._map is None:
                self._map = np.memmap(self._path, np.uint8, "r")
            return np.ndarray(shape, dtype, buffer=self._map.data, offset=offset)

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` (fewer at the end of the file).

        Raises
        ------
        SlideError
            After :meth:`close`.
        """
        with self._lock:
            self.check_open()
            self._readers += 1
            if not hasattr(os, "pread"):  # Windows: one read at a time
                try:
                    self._file.seek(offset)
                    return self._file.read(count) or b""
                finally:
                    self._done()
        try:
            return os.pread(self._file.fileno(), count, offset)
        finally:
            with self._lock:
                self._done()

    def _done(self) -> None:
        self._readers -= 1
        if self._closed and not self._readers:
            self._file.close()

    def close(self) -> None:
        """Refuse further reads and close the file once the running ones have ended."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._map = None
                if not self._readers:
                    self._file.close()


def fingerprint(paths: Path | Iterable[Path], extra: str = "") -> str:
    """Hash of what files hold: 32 hexadecimal digits.

    Small files count whole; of large ones the size and blocks spread evenly over the file, so that the fingerprint
    of a slide of several GB takes milliseconds. Names and folders do not count.

    Parameters
    ----------
    paths : Path or iterable of Path
        One file, or the files of one stack in order.
    extra : str
        Anything else that tells contents apart.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in [paths] if isinstance(paths, Path) else paths:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(size.to_bytes(8, "little"))
            if size <= _WHOLE_BELOW:
                digest.update(file.read())
                continue
            for sample in range(_SAMPLES):
                file.seek(sample * (size - _BLOCK) // (_SAMPLES - 1))
                digest.update(file.read(_BLOCK))
    digest.update(extra.encode())
    return digest.hexdigest()
