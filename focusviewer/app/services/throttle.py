"""Limits how often a function is called: the first call runs at once, the last one always runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Slot


class Throttle(QObject):
    """Calls a function at most once per interval, with the latest arguments."""

    def __init__(self, function: Callable[..., None], interval_ms: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._function = function
        self._waiting: tuple[Any, ...] | None = None
        self._timer = QTimer(self, singleShot=True, interval=interval_ms)
        self._timer.timeout.connect(self._fire)

    def __call__(self, *args: Any) -> None:
        """Call now, or when the interval is over."""
        if self._timer.isActive():
            self._waiting = args
        else:
            self._timer.start()
            self._function(*args)

    def clear(self) -> None:
        """Forget a call that waits."""
        self._waiting = None
        self._timer.stop()

    @Slot()
    def _fire(self) -> None:
        if self._waiting is not None:
            args, self._waiting = self._waiting, None
            self._timer.start()
            self._function(*args)
