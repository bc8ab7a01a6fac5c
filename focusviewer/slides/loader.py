"""Threads that fetch tiles, the most wanted first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.slides.cache import TileCache
from focusviewer.slides.tiles import DisplayPyramid, TileKey

_log = logging.getLogger(__name__)

OnTile = Callable[[TileKey, RGB | None, str | None], None]


class TileLoader:
    """Reads wanted tiles in threads of its own and keeps them.

    Every pyramid has one list of wanted tiles, in order of importance; pyramids take turns. A tile is read once however
    many ask for it. A tile that cannot be read is reported once and remembered.

    Parameters
    ----------
    on_tile : callable
        Called **from a worker thread** with (key, pixels, None), or (key, None, message) for a bad tile.
    threads : int
    cache_bytes : int
        Memory for decoded tiles.
    """

    def __init__(self, on_tile: OnTile, *, threads: int = 2, cache_bytes: int = 512 << 20) -> None:
        self._on_tile = on_tile
        self.cache = TileCache(cache_bytes)
        self._wake = threading.Condition()
        self._wanted: dict[DisplayPyramid, list[TileKey]] = {}
        self._running: set[TileKey] = set()
        self._bad: dict[TileKey, str] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"focusviewer-tiles-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def want(self, pyramid: DisplayPyramid, keys: Sequence[TileKey]) -> None:
        """Replace the list of wanted tiles of a pyramid; those not wanted any more and not being read are dropped."""
        with self._wake:
            if self._closed:
                return
            self._wanted.pop(pyramid, None)  # the one who asked last comes last, so that all get their turn
            self._wanted[pyramid] = [
                key for key in dict.fromkeys(keys) if key not in self._bad and key not in self.cache
            ]
            self._wake.notify_all()

    def cached(self, key: TileKey) -> RGB | None:
        """The tile if it is in memory."""
        return self.cache.get(key)

    def bad(self, key: TileKey) -> str | None:
        """Why a tile could not be read, or None."""
        return self._bad.get(key)

    def forget_bad(self, pyramid: DisplayPyramid | None = None) -> None:
        """Let bad tiles be tried again: those of one slide, or all."""
        with self._wake:
            kept = {k: m for k, m in self._bad.items() if pyramid is not None and k.slide != pyramid.fingerprint}
            self._bad = kept

    def drop(self, pyramid: DisplayPyramid) -> None:
        """Forget what a pyramid wanted; nothing more is reported for it (its tiles stay in memory)."""
        with self._wake:
            self._wanted.pop(pyramid, None)

    def forget(self, pyramid: DisplayPyramid) -> None:
        """Forget the tiles of a slide, wanted, bad and kept: its file is another now."""
        self.drop(pyramid)
        self.forget_bad(pyramid)
        self.cache.remove(lambda key: isinstance(key, TileKey) and key.slide == pyramid.fingerprint)

    @property
    def is_hung(self) -> bool:
        """Whether a read went on when the loader was closed, and still does."""
        return self._closed and any(thread.is_alive() for thread in self._threads)

    def close(self, timeout: float = 2) -> None:
        """Stop: nothing is reported any more; waits for running reads, at most ``timeout`` seconds."""
        with self._wake:
            self._closed = True
            self._wanted.clear()
            self._wake.notify_all()
        end = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        self.cache.clear()

    def __enter__(self) -> TileLoader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _next(self) -> tuple[DisplayPyramid, TileKey] | None:
        """The next tile to read, waiting for one; None once closed."""
        with self._wake:
            while not self._closed:
                for pyramid in list(self._wanted):
                    key = self._pick(self._wanted[pyramid])
                    if key is not None:
                        self._wanted[pyramid] = self._wanted.pop(pyramid)  # to the end of the turn
                        self._running.add(key)
                        return pyramid, key
                self._wake.wait()
        return None

    def _pick(self, keys: list[TileKey]) -> TileKey | None:
        """Take the first key that nobody reads yet; one being read stays, in case that read fails for another slide."""
        index = 0
        while index < len(keys):
            key = keys[index]
            if key in self.cache or key in self._bad:
                del keys[index]
            elif key in self._running:
                index += 1
            else:
                return keys.pop(index)
        return None

    def _work(self) -> None:
        while (job := self._next()) is not None:
            pyramid, key = job
            pixels: RGB | None = None
            message: str | None = None
            try:
                pixels = pyramid.read_tile(key)
            except UserError as error:
                message = str(error)
            except Exception as error:  # an error of a reader must not end the thread
                _log.exception("reading %s", key)
                message = f"unexpected {type(error).__name__}: {error}"
            self._finish(pyramid, key, pixels, message)

    def _finish(self, pyramid: DisplayPyramid, key: TileKey, pixels: RGB | None, message: str | None) -> None:
        with self._wake:
            self._running.discard(key)
            alive = not self._closed and pyramid in self._wanted
            if pixels is not None and not self._closed:
                self.cache.put(key, pixels)
                # Another pyramid of the same slide may have waited for this read.
                alive = not self._closed and any(p.fingerprint == key.slide for p in self._wanted)
            elif message is not None and alive:
                self._bad[key] = message
            self._wake.notify_all()
        if not alive:
            return
        try:
            self._on_tile(key, pixels, message)
        except Exception:  # an error of the listener: logged for developers
            _log.exception("reporting %s", key)
