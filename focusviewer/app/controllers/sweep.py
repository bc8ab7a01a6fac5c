"""Playing the focus there and back, live."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.controllers.refocus import RefocusController
from focusviewer.app.models.sweep import live_targets
from focusviewer.app.views.refocus_boxes import SweepBox
from focusviewer.core.errors import UserError

FRAME_MS = 60


class SweepController(QObject):
    """Turns the knob step by step, each when the picture of the last one is on screen."""

    failed = Signal(str)

    def __init__(self, refocus: RefocusController, box: SweepBox) -> None:
        super().__init__()
        self._refocus, self._box = refocus, box
        self._targets: list[float] = []
        self._at = 0
        self._turning = False
        self._timer = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._timer.timeout.connect(self._step)
        box.played.connect(self.play)
        refocus.patch_changed.connect(self._shown)
        refocus.turned_by_user.connect(self.stop)
        refocus.mode_changed.connect(self._mode_changed)
        refocus.failed.connect(self.stop)
        refocus.panel.switched.connect(self.stop)

    @property
    def is_playing(self) -> bool:
        """Whether the focus is being swept."""
        return bool(self._targets)

    def toggle(self) -> None:
        """Play, or stop."""
        self.play(not self.is_playing)

    @Slot(bool)
    def play(self, on: bool) -> None:
        """Sweep from where the panel says to where it says, and back, until stopped."""
        if not on:
            self.stop()
            return
        if not self._refocus.is_on:
            self._refocus.enter("refocus")
        try:
            self._targets = live_targets(self._box.low.value(), self._box.high.value())
        except UserError as error:
            self._box.set_playing(False)
            self.failed.emit(str(error))
            return
        here = self._refocus.panel.target_um
        self._at = min(range(len(self._targets) // 2 + 1), key=lambda index: abs(self._targets[index] - here))
        self._box.set_playing(True)
        self._step()

    @Slot()
    def stop(self) -> None:
        """Stay at the focus that is shown."""
        self._targets = []
        self._timer.stop()
        self._box.set_playing(False)

    @Slot(str)
    def _mode_changed(self, mode: str) -> None:
        if not self._turning:  # another mode was wished for, another plane or another slide
            self.stop()

    @Slot()
    def _shown(self) -> None:
        if self._targets:
            self._timer.start()

    @Slot()
    def _step(self) -> None:
        if not self._targets:
            return
        if not self._refocus.can_refocus:
            self.stop()
            return
        self._at = (self._at + 1) % len(self._targets)
        self._turning = True
        self._refocus.turn_to(self._targets[self._at])
        self._turning = False
