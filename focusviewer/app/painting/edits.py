"""Changes of a painting as items of the slide's undo stack: one for every stroke, one for clearing all."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoStack

from focusviewer.app.painting.strokes import Painting, Stroke
from focusviewer.app.services.undo import Edit

Changed = Callable[[Painting], None]
"""Called with the painting that has changed."""


class PaintingEdit(Edit):
    """A change of a painting."""

    def __init__(self, painting: Painting, text: str, do: Callable[[], None], undo: Callable[[], None]) -> None:
        super().__init__(text, do, undo)
        self.painting = painting


def stroke_edit(painting: Painting, stroke: Stroke, changed: Changed) -> PaintingEdit:
    """One stroke: pushed when it begins, undone with everything that was added to it since."""
    removed: list[Stroke] = [stroke]  # holds the stroke while it is not painted

    def do() -> None:
        painting.add(removed.pop())
        changed(painting)

    def undo() -> None:
        removed.append(painting.pop())
        changed(painting)

    return PaintingEdit(painting, "Paint", do, undo)


def clear_edit(painting: Painting, changed: Changed) -> PaintingEdit:
    """All strokes, and the map under them, are removed."""
    removed = painting.contents

    def do() -> None:
        nonlocal removed
        removed = painting.contents
        painting.clear()
        changed(painting)

    def undo() -> None:
        painting.restore(removed)
        changed(painting)

    return PaintingEdit(painting, "Clear the painting", do, undo)


def last_edit(stack: QUndoStack, painting: Painting) -> PaintingEdit | None:
    """The last change of a painting that has not been undone, whatever else lies above it on the stack."""
    for index in reversed(range(stack.index())):
        edit = stack.command(index)
        if isinstance(edit, PaintingEdit) and edit.painting is painting and not edit.isObsolete():
            return edit
    return None


def take_back(stack: QUndoStack, edit: PaintingEdit) -> None:
    """Undo an edit of the stack; if another command lies above it, only this edit is undone, out of order.

    It is obsolete from then on: the stack drops it when it reaches it, without undoing it again.
    """
    if stack.command(stack.index() - 1) is edit:
        stack.undo()
    else:
        edit.setObsolete(True)
        edit.undo()


def forget(stack: QUndoStack, painting: Painting) -> None:
    """Mark all edits of a painting as obsolete: it is not shown any more, and the stack drops them."""
    for index in range(stack.count()):
        edit = stack.command(index)
        if isinstance(edit, PaintingEdit) and edit.painting is painting:
            edit.setObsolete(True)
