"""Where a sweep of the focus goes; no Qt here."""

from __future__ import annotations

from focusviewer.refocus.regions.sweep import sweep_targets

LIVE_STEP_UM, SAVED_STEP_UM = 0.1, 0.2
LIVE_STEPS, SAVED_STEPS = 90, 40
"""Most steps one way; a longer sweep takes larger ones."""

SAVED_FPS = 12.0


def live_targets(low_um: float, high_um: float) -> list[float]:
    """Positions of a sweep on screen, there and back.

    Raises
    ------
    UserError
        If the ends are not in order.
    """
    return sweep_targets(low_um, high_um, max(LIVE_STEP_UM, (high_um - low_um) / LIVE_STEPS))


def saved_targets(low_um: float, high_um: float) -> list[float]:
    """Positions of a sweep in a file, there and back; like :func:`live_targets`."""
    return sweep_targets(low_um, high_um, max(SAVED_STEP_UM, (high_um - low_um) / SAVED_STEPS))
