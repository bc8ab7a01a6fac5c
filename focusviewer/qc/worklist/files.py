"""Which files are worklists, looked at without changing them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from focusviewer.core.errors import UserError
from focusviewer.qc.worklist.store import FILE_NAME


def check_worklist(path: Path) -> None:
    """Make sure that a file is a worklist before it is opened as one, which would make or change it.

    Raises
    ------
    UserError
        If it is not.
    """
    what, advice = f"Cannot open the worklist {path}", f"Choose the {FILE_NAME} that a batch has written."
    if not path.is_file():
        raise UserError(what, "there is no such file", advice)
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name IN ('slides', 'changes')")
            tables = found.fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UserError(what, str(error), advice) from error
    if tables != 2:
        raise UserError(what, "it is a database of something else", advice)


def worklist_in(path: Path) -> Path | None:
    """The worklist that a path names or a folder holds, None if there is none (looks at the disk)."""
    if path.suffix.lower() == ".sqlite":
        return path
    return path / FILE_NAME if (path / FILE_NAME).is_file() else None
