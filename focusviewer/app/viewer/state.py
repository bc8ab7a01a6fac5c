"""What is shown around the picture; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from focusviewer.app.services.settings import Settings, Theme


@dataclass
class ViewState:
    """The switches of the View menu.

    Attributes
    ----------
    inertia : bool
        Whether the picture glides on after dragging.
    theme : {"system", "light", "dark"}
        Colours of the window.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    minimap: bool = True
    scale_bar: bool = True
    inertia: bool = False
    theme: Theme = "system"

    @classmethod
    def of(cls, settings: Settings) -> ViewState:
        """What was chosen the last time."""
        return cls(settings.minimap, settings.scale_bar, settings.inertia, settings.theme)

    def keep(self, settings: Settings) -> None:
        """Remember what is chosen."""
        settings.minimap, settings.scale_bar = self.minimap, self.scale_bar
        settings.inertia, settings.theme = self.inertia, self.theme
