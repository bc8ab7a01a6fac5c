"""Waiting until a condition holds, with the event loop running (for the demo and the measurements)."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from PySide6.QtCore import QEventLoop, QTimer

STEP_MS = 4


def wait_until(predicate: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Run the event loop until ``predicate()`` holds.

    Raises
    ------
    TimeoutError
        Naming ``what``, if it does not within the time.
    """
    if predicate():
        return
    end = monotonic() + seconds
    loop = QEventLoop()
    timer = QTimer(interval=STEP_MS)
    timer.timeout.connect(lambda: loop.quit() if predicate() or monotonic() > end else None)
    timer.start()
    loop.exec()
    timer.stop()
    if not predicate():
        raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
