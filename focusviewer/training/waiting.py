"""Words while something takes minutes before the first step of a run: nobody should wonder whether it hangs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

FIRST_S, EVERY_S = 3.0, 15.0

_waits: ContextVar[_Wait | None] = ContextVar("waits", default=None)


class _Wait:
    """What is waited for, and how far it is."""

    def __init__(self, what: str) -> None:
        self.what, self.detail = what, ""
        self.began = time.monotonic()
        self.over = threading.Event()

    def speak(self, stream: TextIO, first_s: float, every_s: float) -> None:
        """Say every now and then that it goes on, until it is over."""
        pause = first_s
        while not self.over.wait(pause):
            detail = f", {self.detail}" if self.detail else ""
            print(f"{self.what}{detail} ({time.monotonic() - self.began:.0f} s)", file=stream, flush=True)
            pause = every_s


@contextmanager
def waiting(
    what: str, stream: TextIO | None = None, first_s: float = FIRST_S, every_s: float = EVERY_S
) -> Iterator[None]:
    """Inside the block, say on stderr what takes so long: after ``first_s`` seconds, then every ``every_s``."""
    wait = _Wait(what)
    token = _waits.set(wait)
    voice = threading.Thread(target=wait.speak, args=(stream or sys.stderr, first_s, every_s), daemon=True)
    voice.start()
    try:
        yield
    finally:
        _waits.reset(token)
        wait.over.set()
        voice.join()


def tell(detail: str) -> None:
    """Say how far the work is, to whoever waits for it."""
    wait = _waits.get()
    if wait is not None:
        wait.detail = detail
