"""How two pictures are compared; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from focusviewer.app.compare.views import REFOCUSED, CompareMode


@dataclass
class CompareState:
    """The truth of the comparison.

    Attributes
    ----------
    mode : {"off", "wipe", "split", "flicker"}
    content : str
        What the second picture of a split shows: see :func:`focusviewer.app.compare.views.contents`.
    linked : bool
        Whether the two pictures move together.
    rate_hz : float
        Changes of picture a second.
    wipe : float
        Where the line of the wipe lies, 0 (left) to 1.
    shows_scan : bool
        Whether a flicker shows the scan at the moment, and not the refocused picture.
    peeking : bool
        Whether the scan is shown everywhere, for as long as a key is held.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    mode: CompareMode = "off"
    content: str = REFOCUSED
    linked: bool = True
    rate_hz: float = 1.5
    wipe: float = 0.5
    shows_scan: bool = False
    peeking: bool = False

    def move_wipe(self, by: float) -> None:
        """Move the line of the wipe by a part of the width; it stays on the picture."""
        self.wipe = min(max(self.wipe + by, 0.0), 1.0)
