"""The slides in a folder that is to be opened."""

from __future__ import annotations

from pathlib import Path

from focusviewer.slides.readers.contents import folder_contents


def slides_in(folder: Path) -> list[Path]:
    """One file of each slide of a folder, by name; empty where it is no folder or cannot be read."""
    try:
        return folder_contents(folder).slides
    except OSError:
        return []
