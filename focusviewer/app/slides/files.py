"""What a path that is to be opened holds: slides, or a worklist."""

from __future__ import annotations

from pathlib import Path

from focusviewer.slides.suffixes import VIEWED_SUFFIXES


def slides_in(folder: Path) -> list[Path]:
    """Slide files of a folder, by name; none of what is no folder or may not be looked into."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIEWED_SUFFIXES and path.is_file())
    except OSError:
        return []
