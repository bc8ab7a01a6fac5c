"""A seeded monkey at the window: thousands of random actions, and what went wrong meanwhile."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import shiboken6
from PySide6.QtCore import QEvent, QMessageLogContext, QPointF, Qt, QThread, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSlider,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QLineEdit,
    QWidget,
)

from focusviewer.app.program import make_application, make_window
from focusviewer.app.waiting import run_events
from focusviewer.app.window import MainWindow

LEFT_ALONE = frozenset({"file.quit"})
BLOCKED_MS, GROWTH = 500.0, 0.05
WARM_UP = 3000
"""Runs of fewer actions do not tell whether memory stays flat: caches are still being filled."""

BEAT_MS = 5
ENDING_S = 30.0
"""A study that is being made cannot be broken off; on a busy machine it takes a while."""
TEXTS = ("", "1", "-7", "svs", "<b>x</b>", "μ\u202e切片", "x" * 300, "\0", "*?[", "%s{0}")
_STARVED = Path("/proc/thread-self/schedstat")


@dataclass
class MonkeyReport:
    """What was done, and what went wrong.

    Attributes
    ----------
    blocked_ms : float
        The longest time in which the event loop did not turn, without the time that other programs had the processor.
    blocked_by : str
        The action before it.
    memory_mb : list of float
        Memory of the process, a hundred times in even steps.
    """

    actions: int = 0
    seconds: float = 0.0
    exceptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    blocked_ms: float = 0.0
    blocked_by: str = ""
    memory_mb: list[float] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Memory in the last tenth against that after the warm-up, as a part; 0 for runs that only warm up."""
        count = len(self.memory_mb)
        if self.actions < WARM_UP:
            return 0.0
        return float(np.median(self.memory_mb[-count // 10 :]) / np.median(self.memory_mb[count // 3 : count // 2]) - 1)

    def problems(self) -> list[str]:
        """In words; empty for a run without fault."""
        found = [f"exception: {text}" for text in self.exceptions] + [f"warning: {text}" for text in self.warnings]
        if self.blocked_ms > BLOCKED_MS:
            found.append(f"the window stood still for {self.blocked_ms:.0f} ms after: {self.blocked_by}")
        if self.growth > GROWTH:
            found.append(f"memory grew by {100 * self.growth:.0f} % after the warm-up")
        return found + [f"left behind: {text}" for text in self.left]


class Monkey:
    """Does random things to a window; the same seed does the same things in the same order.

    Parameters
    ----------
    paths : sequence of Path
        Slides to open; broken ones and none at all may be among them.
    """

    def __init__(self, window: MainWindow, paths: Sequence[Path], seed: int) -> None:
        self._window, self._paths = window, list(paths)
        self._rng = np.random.default_rng(seed)
        self._kinds: tuple[tuple[Callable[[], str], float], ...] = (
            (self._command, 0.3),
            (self._wheel, 0.15),
            (self._drag, 0.15),
            (self._control, 0.2),
            (self._open, 0.08),
            (self._close, 0.04),
            (self._switch, 0.04),
            (self._resize, 0.04),
        )

    def act(self) -> str:
        """Do one thing; returns what."""
        shares = [share for _, share in self._kinds]
        kind = self._rng.choice(len(self._kinds), p=np.array(shares) / sum(shares))
        done = self._kinds[kind][0]()
        for dialog in self._window.findChildren(QDialog):
            if dialog.isVisible():
                dialog.reject()  # nothing is written anywhere
        return done

    def _pick(self, items: Sequence[Any]) -> Any:
        return items[int(self._rng.integers(len(items)))]

    def _command(self) -> str:
        actions = self._window.menus.actions
        keys = [key for key, action in actions.items() if action.isEnabled() and key not in LEFT_ALONE]
        key = self._pick(keys)
        actions[key].trigger()
        return f"command {key}"

    def _place(self) -> QPointF:
        view = self._window.viewport
        return QPointF(float(self._rng.uniform(0, view.width())), float(self._rng.uniform(0, view.height())))

    def _modifier(self) -> Qt.KeyboardModifier:
        kinds = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)
        return kinds[int(self._rng.integers(3))]

    def _wheel(self) -> str:
        view, at = self._window.viewport, self._place()
        delta = QPointF(0, float(self._rng.choice([-240, -120, -30, 30, 120, 240]))).toPoint()
        whole = view.mapToGlobal(at.toPoint()).toPointF()
        phase, none = Qt.ScrollPhase.NoScrollPhase, Qt.MouseButton.NoButton
        QApplication.sendEvent(
            view, QWheelEvent(at, whole, QPointF().toPoint(), delta, none, self._modifier(), phase, False)
        )
        return "wheel"

    def _drag(self) -> str:
        view, button, modifier = self._window.viewport, Qt.MouseButton.LeftButton, self._modifier()
        kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 4, QEvent.Type.MouseButtonRelease]
        if self._rng.random() < 0.1:
            kinds.append(QEvent.Type.MouseButtonDblClick)
        for kind in kinds:
            at = self._place()
            whole = view.mapToGlobal(at.toPoint()).toPointF()
            QApplication.sendEvent(view, QMouseEvent(kind, at, whole, button, button, modifier))
        return "drag"

    def _control(self) -> str:
        kinds = (QAbstractSlider, QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit)
        found: list[QWidget] = [
            widget
            for kind in kinds
            for widget in self._window.findChildren(kind)
            if widget.isVisible() and widget.isEnabled()
        ]
        if not found:
            return "no control"
        widget = self._pick(found)
        if isinstance(widget, QAbstractSlider):
            widget.setValue(int(self._rng.integers(widget.minimum(), widget.maximum() + 1)))
        elif isinstance(widget, QCheckBox):
            widget.click()
        elif isinstance(widget, QComboBox) and widget.count():
            widget.setCurrentIndex(int(self._rng.integers(widget.count())))
        elif isinstance(widget, QDoubleSpinBox):
            widget.setValue(float(self._rng.uniform(widget.minimum(), widget.maximum())))
        elif isinstance(widget, QLineEdit):
            widget.setText(self._pick(TEXTS))
        return f"control {type(widget).__name__} {widget.accessibleName() or widget.objectName()}"

    def _open(self) -> str:
        path = self._pick(self._paths)
        self._window.open_paths([path])
        return f"open {path.name}"

    def _close(self) -> str:
        self._window.close_current()
        return "close"

    def _switch(self) -> str:
        documents = self._window.slides.documents
        if documents:
            self._window.slides.show(self._pick(documents))
        return "switch"

    def _resize(self) -> str:
        self._window.resize(int(self._rng.integers(700, 1900)), int(self._rng.integers(500, 1100)))
        return "resize"


def start_monkey(
    paths: Sequence[Path], actions: int, seed: int, on_progress: Callable[[float, str], None]
) -> MonkeyReport:
    """:func:`run_monkey` in an off-screen window with the usual models and engines."""
    window = make_window(make_application(offscreen=True), remember=False)
    window.show()
    window.load_registries()
    return run_monkey(window, paths, actions, seed, on_progress)


def run_monkey(
    window: MainWindow,
    paths: Sequence[Path],
    actions: int,
    seed: int,
    on_progress: Callable[[float, str], None] = lambda part, text: None,
) -> MonkeyReport:
    """Let a monkey at a window that is shown, close it, and tell what went wrong.

    Parameters
    ----------
    on_progress : callable, optional
        Called with the part that is done and the last action.
    """
    threads = set(threading.enumerate())
    report, monkey = MonkeyReport(), Monkey(window, paths, seed)
    heart = _Heart()
    began, process = time.monotonic(), psutil.Process()
    with _Listening(report):
        for number in range(actions):
            done = monkey.act()
            report.actions += 1
            run_events()
            gap = heart.longest()
            if gap > report.blocked_ms:
                report.blocked_ms, report.blocked_by = gap, done
            if number % max(1, actions // 100) == 0:
                report.memory_mb.append(process.memory_info().rss / 2**20)
                on_progress(number / actions, done)
        heart.stop()
        window.close()
        run_events()
    report.left = _left(threads)
    report.seconds = time.monotonic() - began
    return report


def _new(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads begun since; the engines' own, which all windows of the process share, stay."""
    return [one for one in threading.enumerate() if one not in before and not one.name.startswith("refocus")]


def _left(before: set[threading.Thread]) -> list[str]:
    """Threads and timers that outlive the window."""
    deadline = time.monotonic() + ENDING_S
    while (threads := _new(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    gc.collect()
    objects = [one for one in gc.get_objects() if issubclass(type(one), QThread | QTimer) and shiboken6.isValid(one)]
    running = [
        one for one in objects if isinstance(one, QThread) and one.isRunning() and one != QThread.currentThread()
    ]
    ticking = [one for one in objects if isinstance(one, QTimer) and one.isActive()]
    return [str(one) for one in (*threads, *running, *ticking)]


class _Heart:
    """Beats in the event loop and knows the longest pause since it was asked last."""

    def __init__(self) -> None:
        self._last, self._longest = self._now(), 0.0
        self._timer = QTimer(interval=BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    @staticmethod
    def _now() -> float:
        """Seconds, without those in which this thread could have run and got no processor."""
        try:
            starved = int(_STARVED.read_text(encoding="ascii").split()[1]) / 1e9
        except (OSError, IndexError, ValueError):  # another system, or one that does not count
            starved = 0.0
        return time.perf_counter() - starved

    def _beat(self) -> None:
        now = self._now()
        self._longest, self._last = max(self._longest, 1000 * (now - self._last)), now

    def longest(self) -> float:
        """Milliseconds."""
        longest, self._longest = self._longest, 0.0
        return longest

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()


class _Listening(logging.Handler):
    """Notes exceptions, Qt's warnings and logged errors while it is open."""

    def __init__(self, report: MonkeyReport) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def __enter__(self) -> _Listening:
        self._hook, sys.excepthook = sys.excepthook, self._raised
        self._qt = qInstallMessageHandler(self._said)
        logging.getLogger("focusviewer").addHandler(self)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.excepthook = self._hook
        qInstallMessageHandler(self._qt)
        logging.getLogger("focusviewer").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Note a logged error: of a job, or of a reader."""
        error = record.exc_info[1] if record.exc_info else None
        self._report.exceptions.append(f"{record.getMessage()}: {error!r}")

    def _raised(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        self._report.exceptions.append(repr(error))
        self._hook(kind, error, trace)

    def _said(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        quiet = (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
        if kind not in quiet and "propagateSizeHints" not in text:  # which the off-screen platform says of every window
            self._report.warnings.append(text)
