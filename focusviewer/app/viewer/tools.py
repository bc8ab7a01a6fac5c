"""What the mouse does on a picture: one tool at a time, the same on every picture.

A tool takes the events it needs; all others (the middle button, the minimap, everything while no tool is in use) move
the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QPainter

from focusviewer.app.viewer.document import Document


class PointerAction(Enum):
    """What the mouse did."""

    PRESS = auto()
    DOUBLE = auto()
    MOVE = auto()
    RELEASE = auto()
    LEAVE = auto()


@dataclass(frozen=True)
class PointerEvent:
    """The mouse on a picture.

    Attributes
    ----------
    place : (x, y)
        Level-0 pixel under it; NaN when it has left the picture.
    button : Qt.MouseButton
        That was pressed or released; ``NoButton`` for a move.
    document : Document
        The slide of the picture.
    """

    action: PointerAction
    place: tuple[float, float]
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    document: Document


class Tool:
    """Base of all tools. One drag (press, moves, release) is one item of the slide's undo stack."""

    name = ""
    cursor = Qt.CursorShape.CrossCursor

    def handle(self, event: PointerEvent) -> bool:
        """Take an event (True), or leave it to the picture, which is moved by it (False)."""
        return False

    def paint(self, painter: QPainter, document: Document, ratio: float) -> None:
        """Paint the tool's own marks above all layers of a picture, in screen pixels.

        Parameters
        ----------
        ratio : float
            Screen pixels per logical pixel.
        """


class Overlay(Protocol):
    """What is always painted over the pictures, whichever tool is in use."""

    def paint(self, painter: QPainter, document: Document, ratio: float) -> None:
        """See :meth:`Tool.paint`."""


class ToolBox(QObject):
    """Which tool is in use; None: the mouse moves the picture.

    Attributes
    ----------
    overlays : list of Overlay
        Painted above the layers of every picture; emit ``updated`` after a change.

    Signals
    -------
    changed : another tool, or none, is in use
    updated : the tool or an overlay paints something else
    """

    changed = Signal()
    updated = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.overlays: list[Overlay] = []
        self._taken: list[Tool] = []  # the last one is in use, the others wait until it is put away

    @property
    def active(self) -> Tool | None:
        """The tool in use."""
        return self._taken[-1] if self._taken else None

    def use(self, tool: Tool) -> None:
        """Take up a tool; the one before it comes back when this one is put away."""
        self._change([*(other for other in self._taken if other is not tool), tool])

    def offer(self, event: PointerEvent) -> bool:
        """Let the tool in use take an event; whether it did."""
        return self.active is not None and self.active.handle(event)

    def put_away(self, tool: Tool) -> None:
        """Put a tool away, whether it is in use or waits."""
        self._change([other for other in self._taken if other is not tool])

    def _change(self, taken: list[Tool]) -> None:
        before, self._taken = self.active, taken
        if self.active is not before:
            self.changed.emit()
