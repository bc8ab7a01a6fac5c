"""One undo stack for every open slide."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoCommand, QUndoGroup, QUndoStack


class UndoStacks(QUndoGroup):
    """The stacks of the slides, by fingerprint; the active one is that of the slide on screen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_slide: dict[str, QUndoStack] = {}

    def of(self, fingerprint: str) -> QUndoStack:
        """The stack of a slide."""
        stack = self._by_slide.get(fingerprint)
        if stack is None:
            stack = self._by_slide[fingerprint] = QUndoStack(self)
            self.addStack(stack)
        return stack

    def activate(self, fingerprint: str | None) -> None:
        """Make the stack of a slide the active one; None for no slide."""
        self.setActiveStack(None if fingerprint is None else self.of(fingerprint))  # type: ignore[arg-type]


class Edit(QUndoCommand):
    """A change, with the functions that do it and undo it."""

    def __init__(self, text: str, do: Callable[[], None], undo: Callable[[], None], *, done: bool = False) -> None:
        super().__init__(text)
        self._do, self._undo = do, undo
        self._skip = done  # pushing a command runs it: what is done already must not be done again

    def redo(self) -> None:
        """Do it (again)."""
        if self._skip:
            self._skip = False
        else:
            self._do()

    def undo(self) -> None:
        """Take it back."""
        self._undo()
