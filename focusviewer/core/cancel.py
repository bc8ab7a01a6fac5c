"""Ending work early: a token that is looked at between steps.

A token is a ``threading.Event`` that whoever waits for the work may set. Work looks at it where it can stop without
leaving anything half done, and ends with :class:`~focusviewer.core.errors.CancelledError`, which is never shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from focusviewer.core.errors import CancelledError

Progress = Callable[[float], None]
"""Is given the part of the work that is done, 0 to 1."""

_log = logging.getLogger(__name__)


def stop_if(cancel: Event | None) -> None:
    """End the work if its token is set.

    Raises
    ------
    CancelledError
    """
    if cancel is not None and cancel.is_set():
        raise CancelledError


def stoppable(on_progress: Progress | None, cancel: Event | None) -> Progress:
    """What a step of the work calls with the part that is done: reports it, and ends the work if its token is set."""

    def step(done: float) -> None:
        stop_if(cancel)
        if on_progress is not None:
            on_progress(done)

    return step


def done_within(seconds: float, work: Callable[[], object]) -> bool:
    """Do something that may never end in a thread of its own; whether it ended in time. Its errors are logged."""

    def run() -> None:
        try:
            work()
        except Exception:
            _log.exception("%s failed", work)

    thread = Thread(target=run, name="focusviewer-ending", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
