"""The message bar above the picture and the job list in the status bar."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app.services.jobs import Job, Jobs
from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.widgets.theme import bind_icon, draw_svg

MAX_MESSAGES = 3
MAX_ROWS, MAX_TITLE_PX = 2, 190
COLOURS = {  # kind: light back, dark back, icon, icon colour
    "error": ("#fde7e7", "#4a2427", "warning", "#d1242f"),
    "warning": ("#fff3d6", "#453718", "warning", "#b87a00"),
    "info": ("#e3efff", "#1f3350", "info", "#2f7bea"),
}
INFO_MS = 6000


class Message(QFrame):
    """One dismissible line."""

    dismissed = Signal(object)  # itself

    def __init__(self, text: str, kind: str, action: tuple[str, Callable[[], None]] | None) -> None:
        super().__init__()
        self.text, self.kind = text, kind
        self.setAutoFillBackground(True)
        self._icon = PlainLabel()
        label = PlainLabel(text)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setAutoRaise(True)
        close.setToolTip("Dismiss")
        bind_icon(close, "close")
        close.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 6, 6)
        layout.setSpacing(10)
        layout.addWidget(self._icon)
        layout.addWidget(label, 1)
        if action is not None:
            name, callback = action
            do_it = QPushButton(name)
            do_it.clicked.connect(callback)
            do_it.clicked.connect(self.dismiss)
            layout.addWidget(do_it)
        layout.addWidget(close)
        self.colour()

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of the theme."""
        if event.type() == QEvent.Type.ApplicationPaletteChange:
            self.colour()
        super().changeEvent(event)

    def colour(self) -> None:
        """Take the colours of the theme."""
        light, dark, icon, tint = COLOURS[self.kind]
        palette = QApplication.palette()
        is_dark = palette.color(QPalette.ColorRole.WindowText).lightness() > 128
        palette.setColor(QPalette.ColorRole.Window, QColor(dark if is_dark else light))
        self.setPalette(palette)
        self._icon.setPixmap(draw_svg(icon, QColor(tint), 18, self.devicePixelRatioF()))

    @Slot()
    def dismiss(self) -> None:
        """Remove the line."""
        self.hide()
        self.dismissed.emit(self)
        self.deleteLater()


class MessageBar(QWidget):
    """Messages above the picture, newest last.

    It keeps its own list: the wrapper of what ``QLayout.itemAt`` returns outlives the item that Qt deletes, and the
    next object that Qt makes at that address inherits it, until the program crashes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[Message] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(1)

    def show_message(
        self, text: str, kind: str = "error", action: tuple[str, Callable[[], None]] | None = None
    ) -> Message:
        """Show a line; the same text is not shown twice, the oldest of too many goes."""
        for shown in self.messages():
            if shown.text == text:
                return shown
        while len(self.messages()) >= MAX_MESSAGES:
            self.messages()[0].dismiss()
        message = Message(text, kind, action)
        message.dismissed.connect(self._forget)
        self._shown.append(message)
        self._column.addWidget(message)
        message.show()
        if kind == "info" and action is None:
            timer = QTimer(message, singleShot=True, interval=INFO_MS)
            timer.timeout.connect(message.dismiss)
            timer.start()
        return message

    def messages(self) -> list[Message]:
        """The lines that are shown."""
        return list(self._shown)

    @Slot(object)
    def _forget(self, message: Message) -> None:
        if message in self._shown:
            self._shown.remove(message)

    def dismiss(self, text: str) -> bool:
        """Dismiss the line with this text; whether there was one."""
        found = [message for message in self.messages() if message.text == text]
        for message in found:
            message.dismiss()
        return bool(found)

    def clear(self) -> None:
        """Dismiss all."""
        for message in self.messages():
            message.dismiss()


class _JobRow(QWidget):
    def __init__(self, job: Job, cancel: Callable[[], None]) -> None:
        super().__init__()
        self.title = PlainLabel()
        self.title.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.bar = QProgressBar()
        self.bar.setFixedSize(110, 10)
        self.bar.setTextVisible(False)
        self.show_state(job)
        stop = QToolButton()
        stop.setAutoRaise(True)
        stop.setToolTip(tooltip(f"Stop: {job.title}"))
        bind_icon(stop, "close")
        stop.clicked.connect(cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self.title, self.bar, stop):
            layout.addWidget(widget)

    def show_state(self, job: Job) -> None:
        """Show the progress, that it is not known, or that the job waits."""
        title = self.fontMetrics().elidedText(job.title, Qt.TextElideMode.ElideMiddle, MAX_TITLE_PX)
        self.title.setText(f"{title} (waiting)" if job.waiting else title)
        if job.waiting:
            self.bar.setRange(0, 1)
        elif job.fraction < 0:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(1000 * job.fraction))


class JobList(QWidget):
    """Jobs that have a title, with progress and a cancel button each; the first ones, and how many more there are.

    However many there are, the window keeps its width.
    """

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._rows: dict[Job, _JobRow] = {}
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._more = PlainLabel()
        self._more.hide()
        self._layout.addWidget(self._more)
        jobs.started.connect(self._started)
        jobs.progressed.connect(self._progressed)
        jobs.ended.connect(self._ended)

    @Slot(object)
    def _started(self, job: Job) -> None:
        if not job.title:
            return
        made = _JobRow(job, lambda: self._jobs.cancel_job(job))
        self._rows[job] = made
        self._layout.insertWidget(self._layout.count() - 1, made)
        self._fit()

    @Slot(object)
    def _progressed(self, job: Job) -> None:
        made = self._rows.get(job)
        if made is not None:
            made.show_state(job)

    @Slot(object)
    def _ended(self, job: Job) -> None:
        made = self._rows.pop(job, None)
        if made is not None:
            made.hide()
            made.deleteLater()
            self._fit()

    def _fit(self) -> None:
        # a copy: showing a row resizes the window, which can end jobs and take their rows away meanwhile
        for index, (job, made) in enumerate(list(self._rows.items())):
            if job in self._rows:
                made.setVisible(index < MAX_ROWS)
        hidden = [job.title for job in self._rows][MAX_ROWS:]
        self._more.setText(f"+ {len(hidden)} more")
        self._more.setToolTip(tooltip("\n".join(hidden)))
        self._more.setVisible(bool(hidden))
