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
    end = monotonic() + seconds
    while not predicate():
        if monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        run_events()


def run_events() -> None:
    """Run the event loop for a few milliseconds."""
    loop = QEventLoop()
    QTimer.singleShot(STEP_MS, loop.quit)
    loop.exec()
