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
        self.size = os.fstat(self._file.fileno()).st_size

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def check_open(self) -> None:
        """Raise SlideError after :meth:`close`."""
        if self._closed:
            raise SlideError(f"Cannot read {self._path.name}", "the slide has been closed")

    def read_whole(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, all of them.

        Raises
        ------
        SlideError
            After :meth:`close`, and if the file has become shorter since it was opened.
        """
        parts = [self.read_at(offset, count)]
        while (got := sum(map(len, parts))) < count and parts[-1]:  # a read gives 2 GB at most
            parts.append(self.read_at(offset + got, count - got))
        if got < count:
            raise SlideError(
                f"Cannot read part of {self._path.name}",
                f"the file ends before byte {offset + count:,}; it had {self.size:,} bytes when it was opened",
                "Open it again when it is whole.",
            )
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` (fewer at the end of the file).

        Raises
        ------
        SlideError
            After :meth:`close`, and where the system cannot read: a disk or network that is gone.
        """
        try:
            return self._read_at(offset, count)
        except OSError as error:
            raise SlideError(
                f"Cannot read part of {self._path.name}", error.strerror or str(error), "Is its disk or network there?"
            ) from error

    def _read_at(self, offset: int, count: int) -> bytes:
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
                if not self._readers:
                    self._file.close()


class FileArray:
    """An image that lies in a file sample by sample, sliced like an array; only what is asked for is read.

    Not mapped into memory: reading a mapped file that another program cuts short ends the whole process.

    Parameters
    ----------
    raw : RawFile
    offset : int
        Of the first byte.
    dtype : numpy.dtype
        As stored, byte order included.
    shape : (H, W) or (H, W, samples); (samples, H, W) when ``planar``
        As stored. ``shape`` of the array itself is (H, W) or (H, W, samples).
    """

    def __init__(
        self, raw: RawFile, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], *, planar: bool = False
    ) -> None:
        self._raw, self._offset, self._planar = raw, offset, planar
        self.dtype = dtype
        self.shape = (*shape[1:], shape[0]) if planar else shape
        self._samples = 1 if planar or len(shape) == 2 else shape[2]

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return len(self.shape)

    def __getitem__(self, box: tuple[slice, slice]) -> npt.NDArray[Any]:
        """Rows and columns, with all samples of each pixel.

        Raises
        ------
        SlideError
            If the file has become shorter, or was closed.
        """
        rows, columns = (range(*part.indices(length)) for part, length in zip(box, self.shape[:2], strict=True))
        if not self._planar:
            found = self._read(rows, columns, self._offset)
            return found if self.ndim == 3 else found[..., 0]
        size = self.shape[0] * self.shape[1] * self.dtype.itemsize
        layers = [self._read(rows, columns, self._offset + index * size)[..., 0] for index in range(self.shape[2])]
        return np.stack(layers, axis=-1)

    def _read(self, rows: range, columns: range, offset: int) -> npt.NDArray[Any]:
        """Samples (rows, columns, samples of a pixel) of what begins at ``offset``."""
        pixel = self._samples * self.dtype.itemsize
        line, out = self.shape[1] * pixel, np.empty((len(rows), len(columns), self._samples), self.dtype)
        if not out.size:
            return out
        first, last = columns[0], columns[-1] + 1
        if rows.step == 1 and 2 * (last - first) >= self.shape[1]:  # most of every row: one read
            data = self._raw.read_whole(offset + rows[0] * line, len(rows) * line)
            block = np.frombuffer(data, self.dtype).reshape(len(rows), self.shape[1], self._samples)
            out[:] = block[:, first : last : columns.step]
            return out
        for index, row in enumerate(rows):
            data = self._raw.read_whole(offset + row * line + first * pixel, (last - first) * pixel)
            out[index] = np.frombuffer(data, self.dtype).reshape(-1, self._samples)[:: columns.step]
        return out


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
