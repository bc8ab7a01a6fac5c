"""Verdicts as items of the slides' undo stacks.

The file decides which verdicts stand: other windows and programs write into it too. An item of a stack is undone
together with its verdict, and is dropped when the file says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    is_done : bool
        Whether it is done, as the stack has it.
    stands : bool
        Whether it stands, as far as is known of the file.
    pending : bool
        Whether it is being written that it stands, or stands no longer.
    """

    def __init__(self, row: VerdictRow, write: Callable[[VerdictEdit], None]) -> None:
        super().__init__(f"Verdict {row.verdict.value}", lambda: self._turn(True), lambda: self._turn(False), done=True)
        self.row = row
        self.is_done = self.stands = True
        self.pending = False
        self._write = write

    def _turn(self, is_done: bool) -> None:
        self.is_done = is_done
        self._write(self)


class VerdictEdits:
    """Keeps the undo stacks in step with the worklist's file."""

    def __init__(self, stacks: UndoStacks, session: WorklistSession) -> None:
        self._stacks, self._session = stacks, session

    # --- the file has changed ------------------------------------------------------------------------------

    def push(self, row: VerdictRow) -> None:
        """A verdict was written: it becomes an item of its slide's stack."""
        self._stacks.of(row.fingerprint).push(VerdictEdit(row, self._write))

    def taken_back(self, row: VerdictRow | None) -> None:
        """A verdict was taken back: its item is undone, or marked obsolete when something else lies above it."""
        if row is None:
            return
        for stack, index, edit in self._edits():
            if edit.row.number != row.number:
                continue
            edit.stands = False  # so that nothing is written when it is undone
            if index == stack.index() - 1:
                stack.undo()
            elif index < stack.index():
                edit.setObsolete(True)
            return

    def sync_with(self, snapshot: Snapshot) -> None:
        """Drop the verdicts of a slide when somebody else has given or taken back verdicts of that reader."""
        by_slide: dict[tuple[str, str], list[VerdictEdit]] = {}
        for _, _, edit in self._edits():
            by_slide.setdefault((edit.row.who, edit.row.fingerprint), []).append(edit)
        for key, edits in by_slide.items():
            done = [edit.row.number for edit in edits if edit.is_done and not edit.isObsolete()]
            standing = snapshot.standing.get(key, ())
            is_true = not done or (standing[-1:] == (done[-1],) and set(done) <= set(standing))
            if not is_true and not any(edit.pending for edit in edits):
                self._drop(edits)

    def clear(self) -> None:
        """The worklist is closed: none of its verdicts can be taken back any more."""
        self._drop([edit for _, _, edit in self._edits()])

    # --- an item was undone or redone ----------------------------------------------------------------------

    def _write(self, edit: VerdictEdit) -> None:
        """Write what the stack says of a verdict, if the file says otherwise; one thing after the other."""
        if edit.pending or edit.is_done == edit.stands:
            return
        edit.pending = True
        row = edit.row

        def written(again: VerdictRow) -> None:
            edit.row, edit.stands, edit.pending = again, True, False
            self._write(edit)

        def taken_back(taken: VerdictRow | None) -> None:
            if taken is None:  # somebody else has done so
                self._drop([edit])
                return
            edit.stands = edit.pending = False
            self._write(edit)

        def lost() -> None:
            self._drop([edit])

        if edit.is_done:
            self._session.give(row.fingerprint, row.verdict, row.who, row.note, written=written, lost=lost)
        else:
            self._session.undo(row.who, row.number, taken_back=taken_back, lost=lost)

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
