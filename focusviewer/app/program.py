"""Starting and ending the program."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from psygnal import EmitLoopError
from PySide6.QtCore import QMessageLogContext, Qt, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QColor, QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from focusviewer import __version__
from focusviewer.app.services.settings import load_settings
from focusviewer.app.services.text import install_language
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets import theme
from focusviewer.app.window import MainWindow
from focusviewer.core.display import has_display
from focusviewer.core.errors import UserError

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.0002
"""How long a worker may hold the interpreter before the Qt thread gets its turn.

Every call into Qt lets go of the interpreter and takes it back, so a paint of a hundred calls may wait this
long a hundred times while a worker runs Python code. Python's default of 5 ms stops the window for 150 ms at a time.
"""


def make_application(*, offscreen: bool = False) -> QApplication:
    """The QApplication, made on the first call."""
    app = QApplication.instance()
    if isinstance(app, QApplication):
        return app
    if offscreen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    qInstallMessageHandler(_log_qt)
    app = QApplication(["focusviewer"])
    app.setApplicationName("FocusViewer")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("focusviewer")
    install_language(app)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return app


def make_window(app: QApplication, *, remember: bool = True) -> MainWindow:
    """The main window in its colours, not shown yet.

    Parameters
    ----------
    remember : bool
        Use and keep the user's settings; otherwise defaults that are forgotten.
    """
    from focusviewer.app.services.settings import Settings

    settings, warnings = load_settings() if remember else (Settings(), [])
    theme.apply_theme(app, settings.theme)
    app.setWindowIcon(QIcon(theme.draw_svg("focusviewer", QColor("#3b82f6"), 64)))
    window = MainWindow(settings, remember=remember)

    def follow_system() -> None:
        theme.apply_theme(app, settings.theme)

    app.styleHints().colorSchemeChanged.connect(follow_system)
    window.closed.connect(lambda: app.styleHints().colorSchemeChanged.disconnect(follow_system))
    for warning in warnings:
        window.messages.show_message(warning, "warning")
    _show_unexpected_errors(window)
    return window


def run_view(paths: Sequence[Path], at: tuple[float, float] | None = None, linked: Sequence[Path] = ()) -> int:
    """See :func:`focusviewer.app.run_view`."""
    if not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
        raise UserError(
            "There is no display to open a window on",
            "neither DISPLAY nor WAYLAND_DISPLAY is set",
            "Run it on a desktop, or use the other commands (focusviewer --help).",
        )
    app = make_application()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal ends the program
    window = make_window(app)
    if at is not None and not linked:
        look_at(window, at)
    window.open_paths(list(paths))
    window.show()
    if linked:
        window.opening.open_linked(linked, lambda: None if at is None else look_at(window, at))
    # the lists of models can wait until there is something to look at
    QTimer.singleShot(600 if paths or linked else 0, window.load_registries)
    return leave(app.exec(), window)


def leave(code: int, window: MainWindow) -> int:
    """The exit code of a window that was closed; ends the process where a thread that hangs would keep it for ever."""
    if window.jobs.is_hung or window.tiles.loader.is_hung:
        log.warning("a file, a disk or a network does not answer; the program ends without it")
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    return code


def look_at(window: MainWindow, at: tuple[float, float]) -> None:
    """Let the first slide that opens show a level-0 pixel at full resolution, instead of the whole slide."""

    def look(document: Document) -> None:
        window.slides.opened.disconnect(look)
        document.fresh = False  # it would fit the window otherwise
        document.view.go_to(*at, 1.0)

    window.slides.opened.connect(look)


def _log_qt(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    """Send Qt's own messages to the log; the off-screen platform's remark on every window is none."""
    if "propagateSizeHints" not in text:
        level = logging.DEBUG if kind in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) else logging.WARNING
        logging.getLogger("qt").log(level, text)


def _show_unexpected_errors(window: MainWindow) -> None:
    """Show what escapes from a slot in the window as well as on the console."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, EmitLoopError) and error.__cause__ is not None:  # raised by what follows a state
            error = error.__cause__
        usual(kind, error, trace)
        if isinstance(error, Exception):
            window.show_error(str(error) if isinstance(error, UserError) else f"Something went wrong: {error!r}")

    sys.excepthook = hook
    window.closed.connect(lambda: setattr(sys, "excepthook", usual))
