"""Worker programs on this machine, with limits of time and memory for every task."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import focusviewer
from focusviewer.qc.batch.memory import memory_mb_of
from focusviewer.qc.batch.tasks import Answer, Task
from focusviewer.qc.batch.worker import BEGUN, READY, receive, send

HIDDEN_COMMAND = "qc-worker"
"""How a packed program, which has no Python to call, is asked to be a worker."""

_LOOK_S = 0.1
_MOST_FAILED_STARTS = 3


BY_SIZE = -1.0
"""In place of seconds: a limit that follows from the size of the slide's files."""

_LEAST_S, _PER_GB_S = 300.0, 300.0
"""Slides of 1 to 3 GB take half a minute to two on one core; a network of 10 MB/s needs 100 s for each GB."""


@dataclass(frozen=True)
class Limits:
    """What one slide may take.

    Attributes
    ----------
    timeout_s : float or None
        Wall time; BY_SIZE: as much as a slide of its size takes at most on a slow machine.
    memory_mb : float or None
        Memory of the worker while it works on it; not watched where the system does not tell it.
    """

    timeout_s: float | None = None
    memory_mb: float | None = None

    def seconds_for(self, path: Path) -> float | None:
        """What a slide may take, by the size of its files where that is so wanted."""
        if self.timeout_s != BY_SIZE:
            return self.timeout_s
        return _LEAST_S + _PER_GB_S * _bytes_of(path) / 1e9


def _bytes_of(path: Path) -> int:
    """Size of a slide's files: of a folder what lies in it, of a file also the folder named like it (MIRAX)."""
    files = [path]
    with suppress(OSError):
        for folder in {path, path.with_suffix("")}:
            if folder.is_dir():
                files += folder.iterdir()
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.stat().st_size
    return total


class Pool(Protocol):
    """Something that does tasks: here, or on many machines."""

    def submit(self, task: Task) -> None:
        """Queue a task."""

    def next(self, timeout_s: float) -> tuple[Task, Answer] | None:
        """An answer, in no order; None when there was none in time."""

    def close(self) -> None:
        """Stop, tasks at work included."""


class LocalPool:
    """Worker programs on this machine.

    A worker that dies or breaks a limit costs its task (which fails, with the reason) and is replaced.

    Parameters
    ----------
    workers : int
        How many work side by side.
    limits : Limits
        For each task.
    """

    def __init__(self, workers: int, limits: Limits | None = None) -> None:
        self.size, self.limits = max(1, workers), limits or Limits()
        self._waiting: deque[Task] = deque()
        self._workers: list[_Worker] = []
        self._inbox: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
        self._failed_starts = 0

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._waiting.append(task)
        self._hand_out()

    def next(self, timeout_s: float) -> tuple[Task, Answer] | None:
        """An answer, in no order; None when there was none in ``timeout_s`` seconds.

        Raises
        ------
        RuntimeError
            If workers cannot be started.
        """
        until = time.monotonic() + timeout_s
        while True:
            left = until - time.monotonic()
            try:
                worker, message = self._inbox.get(timeout=max(0.0, min(_LOOK_S, left)))
            except queue.Empty:
                self._enforce()
                if left <= 0:
                    return None
                continue
            done = self._hear(worker, message)
            self._hand_out()
            if done is not None:
                return done

    def close(self) -> None:
        """Stop all workers at once."""
        self._waiting.clear()
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join()
        self._workers.clear()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if self._waiting and worker.ready and worker.task is None:
                task = self._waiting.popleft()
                worker.give(task, self.limits.seconds_for(task.path))
        idle = sum(worker.task is None for worker in self._workers)
        for _ in range(min(self.size - len(self._workers), len(self._waiting) - idle)):
            self._workers.append(_Worker(self._inbox))

    def _hear(self, worker: _Worker, message: Any) -> tuple[Task, Answer] | None:
        if message == READY:
            worker.ready, self._failed_starts = True, 0
            return None
        if message == BEGUN:
            worker.since = time.monotonic()
            return None
        task = worker.task
        worker.task = None
        if message is not None:
            assert task is not None
            return task, message
        if worker not in self._workers:
            return None
        self._workers.remove(worker)
        worker.join()
        if task is not None:
            return task, Answer(failure=f"Cannot judge {task.path.name}: {worker.verdict or worker.end()}.")
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise RuntimeError(f"worker programs do not start ({worker.end()})")
        return None

    def _enforce(self) -> None:
        now, limits = time.monotonic(), self.limits
        for worker in self._workers:
            if worker.task is None or worker.since is None or worker.verdict:
                continue
            if worker.most_s is not None and now - worker.since > worker.most_s:
                worker.verdict = f"it took longer than {worker.most_s:.4g} s (--timeout)"
            elif limits.memory_mb is not None:
                used = memory_mb_of(worker.process.pid)
                if used is not None and used > limits.memory_mb:
                    worker.verdict = f"it needed more than {limits.memory_mb:g} MB of memory (--memory)"
            if worker.verdict:
                worker.kill()


@dataclass(eq=False)
class _Worker:
    """One worker program, and the thread that listens to it."""

    inbox: queue.Queue[tuple[_Worker, Any]]
    task: Task | None = None
    since: float | None = None  # when the work on the task began
    most_s: float | None = None  # that it may take
    ready: bool = False
    verdict: str = ""  # why we ended it
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.process = start_worker()
        self.listener = threading.Thread(target=self._listen, name="qc-worker", daemon=True)
        self.listener.start()

    def give(self, task: Task, most_s: float | None) -> None:
        self.task, self.since, self.most_s = task, None, most_s
        assert self.process.stdin is not None
        with suppress(OSError):  # it may just have died: the listener will say so
            send(self.process.stdin, task)  # type: ignore[arg-type]

    def kill(self) -> None:
        self.process.kill()

    def join(self) -> None:
        self.process.wait()
        self.listener.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with suppress(OSError):
                stream.close()

    def end(self) -> str:
        """How the process ended, in words."""
        code = self.process.returncode
        if code is not None and code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return f"its worker was ended by {name}{hint}"
        return f"its worker ended with code {code}"

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while True:
            try:
                message = receive(self.process.stdout)  # type: ignore[arg-type]
            except (EOFError, OSError):
                self.process.wait()
                self.inbox.put((self, None))
                return
            self.inbox.put((self, message))


def start_worker() -> subprocess.Popen[bytes]:
    """Start a worker program that does one thing at a time, on one core."""
    folders = [str(Path(focusviewer.__file__).parent.parent), *sys.path]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **one, "PYTHONPATH": os.pathsep.join(folder for folder in folders if folder)}
    packed = getattr(sys, "frozen", False)
    command = [sys.executable, HIDDEN_COMMAND] if packed else [sys.executable, "-m", "focusviewer.qc.batch.worker"]
    loud = bool(os.environ.get("FOCUSVIEWER_DEBUG"))
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if loud else subprocess.DEVNULL,
    )
