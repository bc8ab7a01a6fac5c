"""The slides in a folder that is to be opened."""

from __future__ import annotations

from pathlib import Path

from focusviewer.slides.suffixes import VIEWED_SUFFIXES


def slides_in(folder: Path) -> list[Path]:
    """Slide files of a folder, by name; empty where it is no folder or cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIEWED_SUFFIXES and path.is_file())
    except OSError:
        return []
