"""Which paths name worklists."""

from __future__ import annotations

from pathlib import Path

from focusviewer.qc.worklist.schema import FILE_NAME


def worklist_in(path: Path) -> Path | None:
    """The worklist that a path names or a folder holds, None if there is none (looks at the disk)."""
    if path.suffix.lower() == ".sqlite":
        return path
    return path / FILE_NAME if (path / FILE_NAME).is_file() else None
