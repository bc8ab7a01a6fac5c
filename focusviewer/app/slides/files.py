"""Folders: the slides in one, and those from which something was opened before."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from focusviewer.slides.readers.contents import folder_contents


def slides_in(folder: Path) -> list[Path]:
    """One file of each slide of a folder, by name; empty where it is no folder or cannot be read."""
    try:
        return folder_contents(folder).slides
    except OSError:
        return []


def lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path lies in one of some folders or below; judged by its name alone, without looking at any disk.

    Of a whole drive, share or home folder only what lies directly in it does.
    """
    place = _plain(path)
    for folder in map(_plain, folders):
        wide = folder == folder.parent or folder == _plain(Path.home())
        if place.parent == folder or (not wide and folder in place.parents):
            return True
    return False


def _plain(path: Path) -> Path:
    """A whole path without ``..``, in the letters that count."""
    return Path(os.path.normcase(os.path.abspath(path)))  # noqa: PTH100 - resolve() would look at the disk
