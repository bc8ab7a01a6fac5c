"""Tasks that behave badly, for workers in other processes; and a pool without any."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from focusviewer.core.errors import SlideError
from focusviewer.qc.batch.tasks import Answer, Task, perform


@dataclass(frozen=True)
class Deed:
    """Does what it is told: ``say``, ``fail``, ``crash``, ``die``, ``die once``, ``hang``, ``eat`` or ``chatter``."""

    path: Path
    what: str = "say"

    def prepare(self) -> None:
        pass

    def run(self) -> str:
        if self.what == "fail":
            raise SlideError("Cannot do it", "it is broken")
        if self.what == "crash":
            raise ZeroDivisionError("of course")
        if self.what == "die" or (self.what == "die once" and not self.path.exists()):
            self.path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "hang":
            time.sleep(600)
        if self.what == "eat":
            eaten = bytearray(os.urandom(1 << 20)) * 400
            time.sleep(600)
            return str(len(eaten))
        if self.what == "chatter":
            os.write(1, b"a codec that talks\n" * 100)
        return f"done {self.path.name}"


class InlinePool:
    """Does tasks at once, in this process; counts them, and can be told to break off."""

    def __init__(self, stop_after: int | None = None) -> None:
        self._answers: deque[tuple[Task, Answer]] = deque()
        self.done: list[Task] = []
        self.stop_after = stop_after

    def submit(self, task: Task) -> None:
        self._answers.append((task, Answer()))

    def next(self, timeout_s: float) -> tuple[Task, Answer] | None:
        if not self._answers:
            return None
        task, _ = self._answers.popleft()
        if self.stop_after is not None and len(self.done) >= self.stop_after:
            raise KeyboardInterrupt
        self.done.append(task)
        return task, perform(task)

    def close(self) -> None:
        self._answers.clear()
