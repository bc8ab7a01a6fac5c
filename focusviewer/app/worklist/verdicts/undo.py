"""Verdicts as items of the slides' undo stacks.

The file decides what stands: other windows and programs write into it too. An item of a stack is undone together with
its verdict, and is dropped when it is no longer true.
"""

from __future__ import annotations

from collections.abc import Iterator

import shiboken6
from PySide6.QtGui import QUndoStack

from focusviewer.app.services.undo import Edit, UndoStacks
from focusviewer.app.worklist.session import WorklistSession
from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.qc.worklist.records import VerdictRow


class VerdictEdit(Edit):
    """A verdict that was given in this window.

    Attributes
    ----------
    row : VerdictRow
        As the file has it.
    pending : bool
        Whether it was undone or redone and the file does not know yet.
    """

    def __init__(self, row: VerdictRow, edits: VerdictEdits) -> None:
        super().__init__(
            f"Verdict {row.verdict.value}", lambda: edits.give_again(self), lambda: edits.take_back(self), done=True
        )
        self.row = row
        self.pending = False


class VerdictEdits:
    """Keeps the undo stacks and the worklist's file alike."""

    def __init__(self, stacks: UndoStacks, session: WorklistSession) -> None:
        self._stacks, self._session = stacks, session
        self._follows_file = False  # a stack is moved because the file has changed: nothing is to be written

    # --- the file has changed ------------------------------------------------------------------------------

    def push(self, row: VerdictRow) -> None:
        """A verdict was written: it becomes an item of its slide's stack."""
        self._stacks.of(row.fingerprint).push(VerdictEdit(row, self))

    def taken_back(self, row: VerdictRow | None) -> None:
        """A verdict was taken back: its item is undone, or marked obsolete when something else lies above it."""
        if row is None:
            return
        for stack, index, edit in self._edits():
            if edit.row.number != row.number or index >= stack.index():
                continue
            if index == stack.index() - 1:
                self._follows_file = True
                stack.undo()
                self._follows_file = False
            else:
                edit.setObsolete(True)
            return

    def keep_true(self, snapshot: Snapshot) -> None:
        """Drop the verdicts of a slide when somebody else has given or taken back verdicts of that reader."""
        by_slide: dict[tuple[str, str], list[tuple[bool, VerdictEdit]]] = {}
        for stack, index, edit in self._edits():
            key = (edit.row.who, edit.row.fingerprint)
            by_slide.setdefault(key, []).append((index < stack.index(), edit))
        for key, edits in by_slide.items():
            done = [edit.row.number for is_done, edit in edits if is_done and not edit.isObsolete()]
            standing = snapshot.standing.get(key, ())
            is_true = not done or (standing[-1:] == (done[-1],) and set(done) <= set(standing))
            if not is_true and not any(edit.pending for _, edit in edits):
                self._drop([edit for _, edit in edits])

    def clear(self) -> None:
        """The worklist is closed: none of its verdicts can be taken back any more."""
        self._drop([edit for _, _, edit in self._edits()])

    # --- an item is undone or redone -----------------------------------------------------------------------

    def take_back(self, edit: VerdictEdit) -> None:
        """Write that a verdict is taken back, unless that is why its item is undone."""
        if self._follows_file:
            return
        edit.pending = True

        def taken_back(row: VerdictRow | None) -> None:
            edit.pending = False
            if row is None:
                self._drop([edit])

        def lost() -> None:
            self._drop([edit])

        self._session.undo(edit.row.who, edit.row.number, taken_back=taken_back, lost=lost)

    def give_again(self, edit: VerdictEdit) -> None:
        """Write a verdict once more that was taken back."""
        edit.pending = True

        def written(row: VerdictRow) -> None:
            edit.pending = False
            edit.row = row

        def lost() -> None:
            self._drop([edit])

        row = edit.row
        self._session.give(row.fingerprint, row.verdict, row.who, row.note, written=written, lost=lost)

    # --- stacks --------------------------------------------------------------------------------------------

    def _edits(self) -> Iterator[tuple[QUndoStack, int, VerdictEdit]]:
        """Every verdict on a stack, with its place there; the items of a slide from the oldest to the latest."""
        for stack in self._stacks.stacks():
            for index in range(stack.count()):
                edit = stack.command(index)
                if isinstance(edit, VerdictEdit):
                    yield stack, index, edit

    def _drop(self, edits: list[VerdictEdit]) -> None:
        """Mark items as obsolete; those that nothing else lies above, or follows, go at once."""
        for edit in edits:
            edit.pending = False
            if shiboken6.isValid(edit):  # Qt deletes what was undone when something else is done
                edit.setObsolete(True)
        for stack in self._stacks.stacks():
            while _is_obsolete(stack, stack.index() - 1):
                stack.undo()  # removes it, and does nothing else
            while _is_obsolete(stack, stack.index()):
                stack.redo()


def _is_obsolete(stack: QUndoStack, index: int) -> bool:
    command = stack.command(index) if 0 <= index < stack.count() else None
    return command is not None and command.isObsolete()
