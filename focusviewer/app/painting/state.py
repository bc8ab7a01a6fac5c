"""The brush that paints a focus map, and what can be done with the painting; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psygnal import SignalGroupDescriptor

RADIUS_UM = (1.0, 500.0)
"""Smallest and largest radius of the brush."""


@dataclass
class PaintingState:
    """The truth of the brush's controls; the focus that it paints is the knob's.

    Attributes
    ----------
    radius_um : float
        Radius of the brush.
    softness : float
        Part of the radius over which a stroke fades out, 0 to 1.
    can_undo : bool
        Whether there is a stroke, or that all were cleared, to take back.
    is_empty : bool
        Whether nothing is painted.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    radius_um: float = 20.0
    softness: float = 0.5
    can_undo: bool = False
    is_empty: bool = True

    def resize(self, factor: float) -> None:
        """Make the brush larger or smaller, within its limits."""
        low, high = RADIUS_UM
        self.radius_um = round(min(max(self.radius_um * factor, low), high), 1)
