"""Progress of a run: a line that is rewritten on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_BAR = 24
_LIVE_S, _PLAIN_S = 0.1, 30.0


class Pace:
    """Progress with the time that is left, on stderr.

    Parameters
    ----------
    name : str
        What is trained.
    first, steps : int
        Steps done before this sitting, and steps in all.
    """

    def __init__(self, name: str, first: int, steps: int, stream: TextIO | None = None) -> None:
        self._name, self._first, self._steps = name, first, steps
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._began = self._shown = time.monotonic()
        self._drawn = False

    def step(self, done: int, loss: float) -> None:
        """Show how far the run is; most calls do nothing."""
        now = time.monotonic()
        if now - self._shown < (_LIVE_S if self._live else _PLAIN_S):
            return
        self._shown = now
        text = self._text(done, loss, now - self._began)
        if self._live:
            filled = round(_BAR * done / self._steps)
            self._stream.write(f"\r{self._name} [{'#' * filled}{'.' * (_BAR - filled)}] {text}\x1b[K")
            self._drawn = True
        else:
            self._stream.write(f"{self._name} {text}\n")
        self._stream.flush()

    def _text(self, done: int, loss: float, seconds: float) -> str:
        rate = (done - self._first) / max(seconds, 1e-9)
        left = clock((self._steps - done) / rate) if rate > 0 else "?"
        pace = f"{rate:.1f} steps/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s/step"
        return f"{done / self._steps:4.0%} step {done}/{self._steps}  loss {loss:.4g}  {pace}  {left} left"

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Clear the progress line."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = False


def clock(seconds: float) -> str:
    """``75`` as ``1:15``, ``3700`` as ``1:01:40``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
