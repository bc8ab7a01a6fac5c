"""Workers for the many small steps of one view.

Torch's own threads wait for each other after every operation; when other work keeps the processor busy (tiles,
a heatmap) each of the hundreds of small operations of a slider step then loses a time slice. Cutting the view into
independent pieces, each computed by one thread, costs nothing on a quiet machine and was measured to be thirty times
faster on a busy one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="refocus", initializer=_begin_worker)


@lru_cache(maxsize=1)
def _hosts() -> ThreadPoolExecutor:
    """Threads that wait for workers: never of the same pool, or all could be waiting."""
    return ThreadPoolExecutor(thread_name_prefix="refocus-host", initializer=_begin_worker)


def _begin_worker() -> None:
    from focusviewer.core.threads import one_core

    one_core()  # else each of these threads would have torch start threads of its own


def on_one_core(work: Callable[P, T]) -> Callable[P, T]:
    """Decorate what is to run where torch starts no threads of its own, whoever calls it; it may use the workers."""

    @wraps(work)
    def hosted(*args: P.args, **options: P.kwargs) -> T:
        return _hosts().submit(work, *args, **options).result()

    return hosted


def begin(work: Callable[[], T]) -> Future[T]:
    """Hand a worker something to do before the pieces that :func:`each` is given afterwards."""
    return _workers().submit(work)


def each(work: Callable[[T], object], pieces: Iterable[T]) -> None:
    """Call ``work`` for every piece, several at a time; returns when all are done, raises what any of them raised."""
    for _ in _workers().map(work, pieces):
        pass


@contextmanager
def on_all_cores() -> Iterator[None]:
    """Let torch use its own threads for a while: for few large operations that cannot be cut into pieces."""
    from focusviewer.core.threads import all_cores, one_core

    all_cores()
    try:
        yield
    finally:
        one_core()
