"""Playing the focus there and back, live."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from focusviewer.app.refocus.controller import RefocusController
from focusviewer.core.errors import UserError
from focusviewer.refocus.regions.sweep import sweep_targets

FRAME_MS = 60

STEP_UM = 0.1
MAX_STEPS = 90
"""Most steps one way; a longer sweep takes larger ones."""


class SweepController(QObject):
    """Turns the knob step by step while a sweep is playing, each time when the last step's picture is on screen."""

    failed = Signal(str)

    def __init__(self, refocus: RefocusController) -> None:
        super().__init__()
        self._refocus, self._state = refocus, refocus.state
        self._targets: list[float] = []
        self._at = 0
        self._is_turning = False
        self._timer = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._timer.timeout.connect(self._step)
        self._state.events.playing.connect(self._playing_changed)
        refocus.patch_changed.connect(self._shown)
        refocus.mode_changed.connect(self._mode_changed)
        refocus.failed.connect(self.stop)

    @property
    def is_playing(self) -> bool:
        """Whether the focus is being swept."""
        return self._state.playing

    def toggle(self) -> None:
        """Play, or stop."""
        self.play(not self._state.playing)

    def play(self, on: bool) -> None:
        """Sweep from one end that the state says to the other, and back, until stopped."""
        self._state.playing = on

    @Slot()
    def stop(self) -> None:
        """Stay at the focus that is shown."""
        self._state.playing = False

    def _playing_changed(self, playing: bool) -> None:
        if playing:
            self._begin()
        else:
            self._timer.stop()

    def _begin(self) -> None:
        state = self._state
        if not state.is_on:
            self._is_turning = True
            self._refocus.enter(state.resting_mode)
            self._is_turning = False
        try:
            self._targets = live_targets(state.sweep_low_um, state.sweep_high_um)
        except UserError as error:
            self.stop()
            self.failed.emit(str(error))
            return
        here, there_only = state.target_um, self._targets[: len(self._targets) // 2 + 1]
        self._at = min(range(len(there_only)), key=lambda index: abs(there_only[index] - here))
        self._step()

    @Slot(str)
    def _mode_changed(self, mode: str) -> None:
        if not self._is_turning:  # another mode was chosen, another plane or another slide, or refocusing switched off
            self.stop()

    @Slot()
    def _shown(self) -> None:
        if self._state.playing:
            self._timer.start()

    @Slot()
    def _step(self) -> None:
        if not self._state.playing:
            return
        if not self._state.can_refocus:
            self.stop()
            return
        self._at = (self._at + 1) % len(self._targets)
        self._is_turning = True
        self._refocus.turn_to(self._targets[self._at])
        self._is_turning = False


def live_targets(low_um: float, high_um: float) -> list[float]:
    """Positions of a sweep on screen, there and back.

    Raises
    ------
    UserError
        If the ends are not in order.
    """
    return sweep_targets(low_um, high_um, max(STEP_UM, (high_um - low_um) / MAX_STEPS))
