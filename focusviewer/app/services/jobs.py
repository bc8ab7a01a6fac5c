"""Work outside the Qt thread: executors, cancel tokens, generations, and how results come back.

A job runs a function in one of the lanes. What it gives - progress, partial results, the result, an
error - travels through one queued signal to the Qt thread, where it is dropped if the job was cancelled or a
newer job of the same kind has taken its place.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from focusviewer.core.errors import CancelledError, UserError

log = logging.getLogger(__name__)

PATIENCE_S, ESSENTIAL_S = 5.0, 30.0


class Lane(Enum):
    """An executor, with its number of threads (tiles have their own, in the loader)."""

    FILES = ("files", 2)  # opening, labels, saving: short work that never waits for analysis
    ANALYSIS = ("analysis", 2)
    STUDY = ("study", 1)  # fast engines study a view here, so that the knob need not wait for it
    INFERENCE = ("inference", 1)
    EXPORT = ("export", 1)  # files of whole regions take minutes, which the knob must not wait for
    SWEEP = ("sweep", 1)  # animations do not wait for a region
    LOOK = ("look", 1)  # at files that may be gone, which can take as long as a network that does not answer
    WORKLIST = ("worklist", 1)  # one thread: verdicts are written, taken back and read in the order they were given


@dataclass(eq=False)
class Job:
    """One piece of work.

    Attributes
    ----------
    kind : str
        Jobs of one kind replace each other.
    generation : int
        Counts the jobs of the kind.
    cancel : threading.Event
        Set to ask the work to stop.
    title : str
        Shown in the status bar; empty for work that is too short to be shown.
    fraction : float
        Progress, 0 to 1; negative when it is not known.
    essential : bool
        Finished even when the window closes meanwhile.
    needs : object
        What must stay open until the work has ended: a slide that is being exported.
    waiting : bool
        Whether it waits for other work of the lane.
    """

    kind: str
    generation: int
    title: str = ""
    fraction: float = -1.0
    essential: bool = False
    needs: object = None
    waiting: bool = False
    cancel: threading.Event = field(default_factory=threading.Event)
    done: Callable[[Any], None] | None = None
    failed: Callable[[str], None] | None = None
    partial: Callable[[float, Any], None] | None = None
    _send: Callable[[_Message], None] | None = None

    def report(self, fraction: float, payload: Any = None) -> None:
        """Tell how far the work is, with a partial result if there is one (any thread)."""
        if self._send is not None and not self.cancel.is_set():
            self._send(_Message(self, "progress", payload, fraction))


@dataclass(frozen=True)
class _Message:
    job: Job
    what: str  # begun (after waiting), progress, done, failed, cancelled
    payload: Any = None
    fraction: float = 1.0


class Jobs(QObject):
    """Starts jobs and brings their results to the Qt thread."""

    started = Signal(object)
    progressed = Signal(object)
    ended = Signal(object)
    error = Signal(str)  # of jobs that do not handle their own failure
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pools = {
            lane: ThreadPoolExecutor(lane.value[1], thread_name_prefix=f"focusviewer-{lane.value[0]}") for lane in Lane
        }
        self._busy = dict.fromkeys(Lane, 0)  # jobs of a lane that have not left it, cancelled ones included
        self._busy_lock = threading.Condition()
        self._essential = 0  # jobs that must not be lost and have not ended
        self.is_hung = False
        self._generations: dict[str, int] = {}
        self._running: dict[Job, None] = {}  # in the order they were started
        self._closed = False
        self._arrived.connect(self._receive, Qt.ConnectionType.QueuedConnection)

    def start(
        self,
        kind: str,
        work: Callable[[Job], Any],
        *,
        lane: Lane,
        title: str = "",
        done: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
        partial: Callable[[float, Any], None] | None = None,
        replace: bool = True,
        essential: bool = False,
        needs: object = None,
    ) -> Job:
        """Run ``work(job)`` in a lane.

        Parameters
        ----------
        kind : str
            With ``replace`` (the default) earlier jobs of the kind are cancelled and their results dropped.
        done, failed, partial : callable, optional
            Called on the Qt thread with the result, the error text, or a fraction and a partial result.
        essential : bool
            For what the user must not lose: :meth:`close` waits for it.
        needs : object, optional
            See :attr:`Job.needs`.
        """
        if replace:
            self.cancel(kind)
        generation = self._generations.get(kind, 0) + 1
        self._generations[kind] = generation
        handlers: dict[str, Any] = {"done": done, "failed": failed, "partial": partial}
        job = Job(kind, generation, title, essential=essential, needs=needs, **handlers, _send=self._send)
        if self._closed:
            job.cancel.set()
            return job
        with self._busy_lock:
            job.waiting = self._busy[lane] >= lane.value[1]
            self._busy[lane] += 1
            self._essential += essential
        self._running[job] = None
        self.started.emit(job)
        self._pools[lane].submit(self._run_in_lane, lane, job, work)
        return job

    def cancel(self, kind: str) -> None:
        """Ask all jobs of a kind to stop and forget their results."""
        for job in [job for job in self._running if job.kind == kind]:
            self.cancel_job(job)

    def cancel_job(self, job: Job) -> None:
        """Ask one job to stop and forget its result."""
        job.cancel.set()
        self._finish(job)

    def running(self, kind: str | None = None) -> list[Job]:
        """Jobs that have not ended, of one kind or all, the oldest first."""
        return [job for job in self._running if kind is None or job.kind == kind]

    def close(self, patience_s: float = PATIENCE_S, essential_s: float = ESSENTIAL_S) -> None:
        """Stop everything but what is essential, and wait for the threads to end.

        A job that does not end, because a disk, a network or a file never answers, is left behind:
        :attr:`is_hung` then says that the process will not end by itself.

        Parameters
        ----------
        patience_s, essential_s : float
            How long to wait for jobs that were cancelled, and for essential ones.
        """
        self._closed = True
        for job in list(self._running):
            if not job.essential:
                job.cancel.set()
        for pool in self._pools.values():
            pool.shutdown(wait=False)  # cancelled jobs that wait in the queue end at once
        with self._busy_lock:
            self._busy_lock.wait_for(lambda: self._essential == 0, essential_s)
            self.is_hung = not self._busy_lock.wait_for(lambda: not any(self._busy.values()), patience_s)
        if not self.is_hung:
            for pool in self._pools.values():
                pool.shutdown(wait=True)
        self._running.clear()

    def _run_in_lane(self, lane: Lane, job: Job, work: Callable[[Job], Any]) -> None:
        try:
            if not job.cancel.is_set():
                if job.waiting:
                    self._send(_Message(job, "begun"))
                self._run(job, work)
        finally:
            with self._busy_lock:
                self._busy[lane] -= 1
                self._essential -= job.essential
                self._busy_lock.notify_all()

    def _run(self, job: Job, work: Callable[[Job], Any]) -> None:
        try:
            message = _Message(job, "done", work(job))
        except CancelledError:
            message = _Message(job, "cancelled")
        except UserError as error:
            message = _Message(job, "failed", str(error))
        except MemoryError:
            message = _Message(job, "failed", "There is not enough memory for this. Close other slides or programs.")
        except Exception as error:
            log.exception("job %s failed", job.kind)
            message = _Message(job, "failed", f"Something went wrong in “{job.title or job.kind}”: {error!r}")
        self._send(message)

    def _send(self, message: _Message) -> None:
        if not self._closed:
            self._arrived.emit(message)

    @Slot(object)
    def _receive(self, message: _Message) -> None:
        job = message.job
        if self._closed or job not in self._running or job.cancel.is_set():
            return
        if message.what == "begun":
            job.waiting = False
            self.progressed.emit(job)
            return
        if message.what == "progress":
            job.fraction = message.fraction
            self.progressed.emit(job)
            if job.partial is not None and message.payload is not None:
                job.partial(message.fraction, message.payload)
            return
        self._finish(job)
        if message.what == "done" and job.done is not None:
            job.done(message.payload)
        elif message.what == "failed":
            (job.failed or self.error.emit)(message.payload)

    def _finish(self, job: Job) -> None:
        if job in self._running:
            del self._running[job]
            self.ended.emit(job)
