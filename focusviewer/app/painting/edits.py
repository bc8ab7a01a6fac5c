"""What is done to a painting, as items of the slide's undo stack: one for every stroke, one for clearing all."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoStack

from focusviewer.app.painting.strokes import Painting, Stroke
from focusviewer.app.services.undo import Edit

Changed = Callable[[Painting], None]
"""Is told which painting has become another."""


class PaintingEdit(Edit):
    """Something that was done to a painting."""

    def __init__(self, painting: Painting, text: str, do: Callable[[], None], undo: Callable[[], None]) -> None:
        super().__init__(text, do, undo)
        self.painting = painting


def stroke_edit(painting: Painting, stroke: Stroke, changed: Changed) -> PaintingEdit:
    """One stroke: pushed when it begins, taken back with all that it has grown to until then."""
    away: list[Stroke] = [stroke]  # while it is not painted

    def do() -> None:
        painting.add(away.pop())
        changed(painting)

    def undo() -> None:
        away.append(painting.take())
        changed(painting)

    return PaintingEdit(painting, "Paint", do, undo)


def clear_edit(painting: Painting, changed: Changed) -> PaintingEdit:
    """All strokes, and the map under them, are taken away."""
    away = painting.contents

    def do() -> None:
        nonlocal away
        away = painting.contents
        painting.clear()
        changed(painting)

    def undo() -> None:
        painting.restore(away)
        changed(painting)

    return PaintingEdit(painting, "Clear the painting", do, undo)


def last_edit(stack: QUndoStack, painting: Painting) -> PaintingEdit | None:
    """What was done last to a painting and has not been taken back, whatever else lies above it on the stack."""
    for index in reversed(range(stack.index())):
        edit = stack.command(index)
        if isinstance(edit, PaintingEdit) and edit.painting is painting and not edit.isObsolete():
            return edit
    return None


def take_back(stack: QUndoStack, edit: PaintingEdit) -> None:
    """Take back an edit of the stack; one that something else lies above is undone alone, out of turn.

    It is obsolete from then on: the stack drops it when it comes to it, without undoing it again.
    """
    if stack.command(stack.index() - 1) is edit:
        stack.undo()
    else:
        edit.setObsolete(True)
        edit.undo()


def forget(stack: QUndoStack, painting: Painting) -> None:
    """Let the stack drop all edits of a painting that is shown no more."""
    for index in range(stack.count()):
        edit = stack.command(index)
        if isinstance(edit, PaintingEdit) and edit.painting is painting:
            edit.setObsolete(True)
