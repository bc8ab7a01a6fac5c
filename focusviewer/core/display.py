"""Whether there is a screen; found out without Qt, which takes long to load."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SNAPSHOT_FOLDER = Path("demo-out")
"""Where the demonstration leaves its pictures when there is no screen to show them on."""

_HIDDEN = frozenset({"offscreen", "minimal", "minimalegl", "vnc"})
"""Qt platforms whose windows nobody at this machine sees."""

_WITHOUT_SERVER = frozenset({"eglfs", "linuxfb", "directfb", "vkkhrdisplay"})
"""Qt platforms that draw on the screen themselves, without a display server."""


def has_display() -> bool:
    """Whether a window can be shown to somebody.

    ``QT_QPA_PLATFORM`` may name a platform that shows nothing, or one that needs no display server.
    """
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0]
    if platform in _HIDDEN:
        return False
    if sys.platform in {"win32", "darwin"} or platform in _WITHOUT_SERVER:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
