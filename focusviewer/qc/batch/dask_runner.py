"""A pool of workers on many machines, through Dask distributed (https://distributed.dask.org).

Slides and the output folder must lie at the same paths on all machines. Each Dask worker hands its slides to a worker
program of our own, the same as on one machine: limits of time and memory hold, a crash costs one slide, and results
are the same to the last bit.
"""

from __future__ import annotations

import queue
import re
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import focusviewer
from focusviewer.core.errors import UserError
from focusviewer.qc.batch.pool import Limits, LocalPool
from focusviewer.qc.batch.tasks import Answer, Task

CONNECT_S = 30
_NO_DASK = "Install it with: pip install 'focusviewer[cluster]'."
_LIKE = "Give it like tcp://host:8786."
_ADDRESS = re.compile(r"(\w+://)?[^\s/]+:\d+")
_here = threading.local()


class DaskPool:
    """The workers of a Dask scheduler, or of a cluster started for the occasion.

    Parameters
    ----------
    scheduler : str or None
        Address of a running scheduler.
    cluster : str or None
        ``local:N``: start N worker processes on this machine.
    limits : Limits
        For each task.
    out : Path
        Folder that all workers must be able to see.

    Raises
    ------
    UserError
        If Dask is missing, the scheduler does not answer, it has no workers, or they do not fit.
    """

    def __init__(self, scheduler: str | None, cluster: str | None, limits: Limits, out: Path) -> None:
        try:
            distributed: Any = import_module("distributed")  # untyped
        except ImportError as error:
            raise UserError("Cannot work on a cluster", "Dask is not installed", _NO_DASK) from error
        if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
            # Dask's client would say so too, but then take a minute to give up.
            raise UserError(f"--scheduler {scheduler} is no address", "", _LIKE)
        self._limits = limits
        self._tasks: dict[str, tuple[Task, Any]] = {}  # futures are forgotten when nobody holds them
        self._done: queue.Queue[Any] = queue.Queue()
        self._cluster: Any = None
        if cluster is not None:
            self._cluster = _local_cluster(cluster)
        address = scheduler if self._cluster is None else self._cluster.scheduler_address
        try:
            self._client: Any = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            self._close_cluster()
            why = str(error) or "it does not answer"
            raise UserError(f"Cannot reach the Dask scheduler {address}", why, _LIKE) from error
        try:
            self._check(out, address)
        except BaseException:
            self.close()
            raise

    def submit(self, task: Task) -> None:
        """Queue a task."""
        # Impure: a task that is tried again must run again.
        future = self._client.submit(perform_in_subprocess, task, self._limits, pure=False)
        self._tasks[future.key] = task, future
        future.add_done_callback(self._done.put)

    def next(self, timeout_s: float) -> tuple[Task, Answer] | None:
        """An answer, in no order; None when there was none in time.

        Raises
        ------
        UserError
            If the scheduler is lost.
        """
        try:
            future = self._done.get(timeout=timeout_s)
        except queue.Empty:
            if self._client.status not in ("running", "connecting"):
                raise _lost(self._client.status) from None
            return None
        task, _ = self._tasks.pop(future.key)
        if future.status in ("cancelled", "lost"):
            raise _lost("the scheduler has forgotten the work")
        try:
            return task, future.result(timeout=CONNECT_S)
        except Exception as error:
            kind = type(error).__name__
            if kind in ("CancelledError", "FutureCancelledError"):
                raise _lost("the scheduler has forgotten the work") from error
            if kind == "KilledWorker":
                return task, Answer(failure=f"Cannot judge {task.path.name}: every worker that tried it died.")
            raise
        finally:
            future.release()

    def close(self) -> None:
        """Withdraw what is queued; leave the cluster, and end it if it is ours."""
        try:
            self._client.close(timeout=5)
        finally:
            self._close_cluster()

    def _close_cluster(self) -> None:
        if self._cluster is not None:
            self._cluster.close(timeout=5)
            self._cluster = None

    def _check(self, out: Path, address: str | None) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            advice = "Start some: dask worker ADDRESS."
            raise UserError(f"The Dask scheduler {address} has no workers", "", advice) from error
        try:
            seen = self._client.run(check_worker_environment, str(out))
        except Exception as error:
            why = "they cannot load FocusViewer" if isinstance(error, ImportError) else str(error)
            raise UserError(f"The workers of {address} do not fit", why, "Install the same version on all.") from error
        for worker, (version, visible) in seen.items():
            if version != focusviewer.__version__:
                why = f"{worker} has FocusViewer {version}, this is {focusviewer.__version__}"
                raise UserError(f"The workers of {address} do not fit", why, "Install the same version on all.")
            if not visible:
                why = f"{worker} does not see {out}"
                raise UserError(f"The workers of {address} do not fit", why, "Use a folder that all machines share.")


def check_worker_environment(out: str) -> tuple[str, bool]:
    """On a worker: the version of the program, and whether it sees the output folder."""
    return focusviewer.__version__, Path(out).is_dir()


def perform_in_subprocess(task: Task, limits: Limits) -> Answer:
    """On a worker: do a task in a worker program of our own, one for each of Dask's threads."""
    pool: LocalPool | None = getattr(_here, "pool", None)
    if pool is None or pool.limits != limits:
        if pool is not None:
            pool.close()
        pool = _here.pool = LocalPool(1, limits)
    pool.submit(task)
    while True:
        got = pool.next(60.0)
        if got is not None:
            return got[1]


def _local_cluster(text: str) -> Any:
    distributed: Any = import_module("distributed")
    kind, _, count = text.partition(":")
    if kind != "local" or not count.isdecimal() or int(count) < 1:
        raise UserError(f"--cluster {text} cannot be read", "", "Give it like --cluster local:4.")
    return distributed.LocalCluster(n_workers=int(count), threads_per_worker=1, processes=True, dashboard_address=None)


def _lost(why: str) -> UserError:
    return UserError("The Dask scheduler was lost", why, "Start it again, then go on with --resume.")
